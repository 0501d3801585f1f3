import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { it } from "node:test";
import * as fc from "fast-check";
import { sampleIntent } from "../../../test/support/log-entries.ts";
import type { Caller, CallerEvidence } from "../identity/caller.ts";
import { SpiffeId } from "../spiffe/id.ts";
import { evidenceOf, serverEvidence } from "./caller-evidence.ts";
import { decodeEntry, encodeEntry } from "./entry-codec.ts";
import type { LoggedEvidence } from "./entry.ts";

const id = SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart");
const issuer = "https://issuer.example";
const enrolledAtMs = 1_795_521_600_000;

const callerOf = (evidence: CallerEvidence, changes: Partial<Caller> = {}): Caller => ({
  id,
  expiresAtMs: Infinity,
  evidence,
  ...changes,
});

const proofs: readonly (readonly [
  title: string,
  evidence: CallerEvidence,
  logged: Partial<LoggedEvidence>,
])[] = [
  [
    "a node's proxy in the place of a pod",
    {
      method: "node",
      by: "spiffe://cluster.local/ns/istio-system/sa/ztunnel",
      askedBy: { name: "ztunnel-x", uid: "uid-9" },
      onNode: "node-1",
      issuer,
      tokenId: "jti-9",
    },
    {
      method: "node",
      issuer: "spiffe://cluster.local/ns/istio-system/sa/ztunnel pod:ztunnel-x uid:uid-9",
      tokenId: "jti-9",
      node: "node-1",
    },
  ],
  [
    "a Kubernetes token",
    {
      method: "jwt",
      issuer,
      tokenId: "jti-1",
      pod: { name: "cart-0", uid: "uid-1" },
      node: { name: "node-1" },
    },
    {
      method: "kubernetes",
      issuer,
      tokenId: "jti-1",
      pod: "cart-0",
      podUid: "uid-1",
      node: "node-1",
    },
  ],
  ["a Kubernetes token without names", { method: "jwt", issuer }, { method: "kubernetes", issuer }],
  [
    "an issuer's token",
    { method: "oidc", issuer, subject: "repo:a/b", tokenId: "jti-2", rule: "/ci" },
    { method: "oidc", issuer, tokenId: "jti-2" },
  ],
  [
    "an issuer's token that has no ID",
    { method: "oidc", issuer, subject: "repo:a/b", rule: "/ci" },
    { method: "oidc", issuer, tokenId: "sub:repo:a/b" },
  ],
  [
    "another PKI's certificate",
    {
      method: "x5c",
      entry: "fleet",
      tokenId: "jti-3",
      serialHex: "01",
      fingerprint: "ab",
      rule: "/vm",
    },
    { method: "x5c", issuer: "fleet sha256:ab", tokenId: "jti-3" },
  ],
  [
    "a join token",
    { method: "join-token", joinTokenId: "0a1b", enrolledAtMs },
    { method: "join-token", tokenId: "0a1b" },
  ],
  [
    "our own certificate",
    { method: "certificate", serialHex: "c0ffee", joinTokenId: "0a1b", enrolledAtMs },
    { method: "certificate", issuer: "serial:c0ffee", tokenId: "0a1b" },
  ],
];

for (const [title, evidence, logged] of proofs) {
  it(`keeps of ${title} what finds it again, and nothing else`, () => {
    const caller = callerOf(evidence, { namespace: "shop" });
    const address = "192.0.2.7:1234";
    const empty = { issuer: "", tokenId: "", pod: "", podUid: "", node: "" };
    assert.deepEqual(evidenceOf(caller, address), {
      ...empty,
      namespace: "shop",
      address,
      ...logged,
    });
  });
}

it("names what is too long by its digest", () => {
  const long = "https://".padEnd(1_025, "x");
  const name = "ä".repeat(128);
  const { issuer, tokenId } = evidenceOf(
    callerOf({ method: "jwt", issuer: long, tokenId: name }),
    "",
  );
  const digest = (text: string): string =>
    `sha256:${createHash("sha256").update(text).digest("hex")}`;
  assert.deepEqual([issuer, tokenId], [digest(long), digest(name)]);
  const fits = "ä".repeat(127);
  assert.equal(evidenceOf(callerOf({ method: "jwt", issuer, tokenId: fits }), "").tokenId, fits);
});

it("always fits into an entry, whatever the parts of the proof are", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 400 }),
    fc.string({ unit: "binary", maxLength: 2_000 }),
    fc.uuid(),
  );
  const named = fc.record({ name: text, uid: text });
  const maybe = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(each, { nil: undefined });
  const evidence: fc.Arbitrary<CallerEvidence> = fc.oneof(
    fc.record({
      method: fc.constant("jwt" as const),
      issuer: text,
      tokenId: maybe(text),
      pod: maybe(named),
      node: maybe(named),
    }),
    fc.record({
      method: fc.constant("oidc" as const),
      issuer: text,
      subject: text,
      tokenId: maybe(text),
      rule: text,
    }),
    fc.record({
      method: fc.constant("x5c" as const),
      entry: text,
      tokenId: text,
      serialHex: text,
      fingerprint: text,
      rule: text,
    }),
    fc.record({
      method: fc.constant("join-token" as const),
      joinTokenId: text,
      enrolledAtMs: fc.constant(enrolledAtMs),
    }),
    fc.record({
      method: fc.constant("certificate" as const),
      serialHex: text,
      joinTokenId: text,
      enrolledAtMs: fc.constant(enrolledAtMs),
    }),
  );
  fc.assert(
    fc.property(evidence, text, text, (proof, namespace, address) => {
      const entry = sampleIntent({ evidence: evidenceOf(callerOf(proof, { namespace }), address) });
      assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
    }),
  );
});

it("of the server itself is its name and nothing else", () => {
  const { method, ...rest } = serverEvidence;
  assert.equal(method, "server");
  assert.ok(Object.values(rest).every((value) => value === ""));
});
