import assert from "node:assert/strict";
import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { after, describe, test } from "node:test";
import * as fc from "fast-check";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { encodeSegment, makeTokenKey, signToken } from "../../../test/support/tokens.ts";
import { MachinePki, type Machine, type MachineOptions } from "../../../test/support/x5c-pki.ts";
import { AuthnError, type AuthnErrorCode } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { parsePathTemplate } from "../../core/identity/path-template.ts";
import type { X5cRule } from "../../core/identity/x5c-rule.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { parseJws } from "./jws.ts";
import { UsedTokens } from "./used-tokens.ts";
import { X5cAuthenticator, type X5cEntry } from "./x5c-authenticator.ts";
import { createX5cToken } from "./x5c-token.ts";

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());

const pki = new MachinePki(directory.path);
const rsaPki = new MachinePki(directory.path, "rsa2048");
const stranger = new MachinePki(directory.path);
const leaf = pki.machine();
/** Later than all certificates here are made, however slowly. */
const nowMs = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
const NOW = nowMs / 1000;
const dayMs = 86_400_000;

const rules: readonly X5cRule[] = [
  {
    match: { kind: "dns-label", suffix: ".corp.example" },
    spiffeId: parsePathTemplate("/vm/{dns.label}"),
  },
  { match: { kind: "commonName", value: "legacy" }, spiffeId: parsePathTemplate("/legacy") },
];
const audiences = ["portcullis"];
const entries: readonly X5cEntry[] = [
  { name: "corp", audiences, rules, roots: [pki.root.der] },
  { name: "corp-rsa", audiences, rules, roots: [rsaPki.root.der] },
];
const trustDomain = TrustDomain.parse("example.com");

interface Changes {
  readonly entries?: readonly X5cEntry[];
  readonly ownRoots?: () => readonly Uint8Array[];
}

function authenticator({ entries: given = entries, ownRoots = () => [] }: Changes = {}) {
  const usedTokens = new UsedTokens(nowMs - 60_000);
  return new X5cAuthenticator({ entries: given, trustDomain, ownRoots, usedTokens });
}

function callerOf(token: string, atMs: number = nowMs): Caller {
  return authenticator().authenticate(token, atMs);
}

function assertRefused(code: AuthnErrorCode, verdict: () => unknown): void {
  assert.throws(verdict, (error) => {
    assert.ok(error instanceof AuthnError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

const tokenOf = (node: Machine, atMs = nowMs): string =>
  createX5cToken(node, "portcullis", randomUUID(), atMs);

/** Signed by the leaf, whatever else is in it. */
function forge(
  node: Machine,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const x5c = [Buffer.from(node.node.der).toString("base64")];
  const times = { iat: NOW, exp: NOW + 60 };
  const parts = [
    { alg: "ES256", x5c, ...header },
    { aud: "portcullis", jti: randomUUID(), ...times, ...claims },
  ];
  const input = parts.map(encodeSegment).join(".");
  const key = createPrivateKey(Buffer.from(node.privateKey));
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}

const silent = { basicConstraints: undefined, keyUsage: undefined, extendedKeyUsage: undefined };

describe("a certificate of another PKI is accepted", () => {
  const issuing = pki.intermediate();
  const kinds: readonly (readonly [string, Machine])[] = [
    ["on P-256", leaf],
    ["on P-384", pki.machine({ key: "P-384" })],
    ["with an RSA key", rsaPki.machine()],
    ["with an RSA key under a root on P-256", pki.machine({ key: "rsa2048" })],
    ["by way of an intermediate", pki.machine({ issuer: issuing })],
    ["that says nothing of its use", pki.machine({ extensions: silent })],
    [
      "that may do more",
      pki.machine({ extensions: { extendedKeyUsage: "serverAuth,clientAuth" } }),
    ],
  ];
  for (const [what, node] of kinds) {
    test(what, () => {
      const caller = callerOf(tokenOf(node));
      assert.equal(caller.id.toString(), "spiffe://example.com/vm/db-1");
      assert.ok(caller.evidence.method === "x5c");
      const { serialNumber, fingerprint256, validTo } = new X509Certificate(node.node.certPem);
      assert.equal(caller.evidence.serialHex, serialNumber.toLowerCase());
      const fingerprint = fingerprint256.replaceAll(":", "").toLowerCase();
      assert.equal(caller.evidence.fingerprint, fingerprint);
      assert.equal(caller.certificateNotAfterMs, Date.parse(validTo));
    });
  }

  test("by its common name, if that is its one and a plain one", () => {
    const legacy = (subject: string) => pki.machine({ subject, san: undefined });
    assert.equal(callerOf(tokenOf(legacy("/O=corp/CN=legacy"))).id.path, "/legacy");
    for (const subject of ["/CN=legacy/CN=legacy", "/O=legacy", "/CN=legacy/CN=x", "/CN=Legacy"]) {
      assertRefused("token-no-rule", () => callerOf(tokenOf(legacy(subject))));
    }
  });

  test("with RSASSA-PSS, too", () => {
    const node = rsaPki.machine();
    const privateKey = createPrivateKey(Buffer.from(node.privateKey));
    const key = { ...makeTokenKey("PS256", ""), privateKey };
    const x5c = [Buffer.from(node.node.der).toString("base64")];
    const payload = { aud: "portcullis", jti: "1", iat: NOW, exp: NOW + 60 };
    assert.ok(callerOf(signToken(key, { header: { alg: "PS256", x5c }, payload })));
  });
});

describe("a certificate of another PKI is refused", () => {
  const leaves: readonly (readonly [string, AuthnErrorCode, MachineOptions])[] = [
    [
      "as a CA's",
      "x5c-certificate",
      { extensions: { basicConstraints: "CA:TRUE", keyUsage: "digitalSignature,keyCertSign" } },
    ],
    ["for servers only", "x5c-certificate", { extensions: { extendedKeyUsage: "serverAuth" } }],
    ["for any purpose", "x5c-certificate", { extensions: { extendedKeyUsage: "2.5.29.37.0" } }],
    ["for encryption only", "x5c-certificate", { extensions: { keyUsage: "keyEncipherment" } }],
    [
      "with a critical extension that nobody understands",
      "x5c-chain",
      { extensions: { "1.2.3.4": "critical,ASN1:NULL" } },
    ],
    ["with a name that no rule has", "token-no-rule", { san: "DNS:db-1.other.example" }],
    [
      "with two names that fit",
      "token-ambiguous-rule",
      { san: "DNS:a.corp.example,DNS:b.corp.example" },
    ],
    ["with a wildcard for a name", "token-no-rule", { san: "DNS:*.corp.example" }],
    ["with its name in another kind", "token-no-rule", { san: "URI:db-1.corp.example" }],
  ];
  for (const [what, code, options] of leaves) {
    test(`${what}: ${code}`, () =>
      assertRefused(code, () => callerOf(tokenOf(pki.machine(options)))));
  }

  test("of a root that is not configured, however it is called", () => {
    assertRefused("x5c-chain", () => callerOf(tokenOf(stranger.machine())));
    const withRoot = { ...stranger.machine() };
    const chain = Buffer.concat([withRoot.certificateChain, Buffer.from(stranger.root.certPem)]);
    assertRefused("x5c-chain", () => callerOf(tokenOf({ ...withRoot, certificateChain: chain })));
    const grafted = Buffer.concat([withRoot.certificateChain, Buffer.from(pki.root.certPem)]);
    assertRefused("x5c-chain", () => callerOf(tokenOf({ ...withRoot, certificateChain: grafted })));
  });

  test("without its intermediate, and under one that is no CA", () => {
    const node = pki.machine({ issuer: pki.intermediate() });
    const alone = { ...node, certificateChain: Buffer.from(node.node.certPem) };
    assertRefused("x5c-chain", () => callerOf(tokenOf(alone)));
    assertRefused("x5c-chain", () =>
      callerOf(tokenOf(pki.machine({ issuer: pki.machine().node }))),
    );
  });

  test("and says below whom the chain ends, and of which PKI a root does not do", () => {
    const node = pki.machine({ issuer: pki.intermediate() });
    const alone = { ...node, certificateChain: Buffer.from(node.node.certPem) };
    assert.throws(() => callerOf(tokenOf(alone)), {
      message:
        'expected a chain to a root of "corp" or "corp-rsa", ' +
        'got one that ends below "corp issuing CA"',
    });
    const leafRoot = authenticator({
      entries: [...entries, { name: "no CA", audiences, rules, roots: [node.node.der] }],
    });
    const under = pki.machine({ issuer: node.node });
    const short = { ...under, certificateChain: Buffer.from(under.node.certPem) };
    assert.throws(() => leafRoot.authenticate(tokenOf(short), nowMs), {
      message: /^"no CA": expected certificate [0-9a-f]+ to be a CA over these$/,
    });
    assert.throws(() => callerOf(tokenOf(leaf, nowMs + dayMs), nowMs + dayMs), {
      message: /^certificate [0-9a-f]+ is valid from /,
    });
  });

  test("before it begins and when it is over", () => {
    assertRefused("x5c-chain", () => callerOf(tokenOf(leaf, nowMs + dayMs), nowMs + dayMs));
    assertRefused("x5c-chain", () => callerOf(tokenOf(leaf, nowMs - dayMs), nowMs - dayMs));
    assertRefused("x5c-chain", () => callerOf(tokenOf(leaf), NaN));
  });

  test("when its root is one of this mesh's, too", () => {
    const own = authenticator({ ownRoots: () => [stranger.root.der, pki.root.der] });
    assertRefused("x5c-chain", () => own.authenticate(tokenOf(leaf), nowMs));
    const foreign = authenticator({ ownRoots: () => [stranger.root.der] });
    assert.ok(foreign.authenticate(tokenOf(leaf), nowMs));
  });

  test("when it hangs on the roots of two entries", () => {
    const [corp] = entries;
    assert.ok(corp !== undefined);
    const twice = authenticator({ entries: [corp, { ...corp, name: "again" }] });
    assertRefused("token-ambiguous-rule", () => twice.authenticate(tokenOf(leaf), nowMs));
    assertRefused("x5c-chain", () =>
      authenticator({ entries: [] }).authenticate(tokenOf(leaf), nowMs),
    );
  });

  test("when another key has signed", () => {
    const other = { ...leaf, privateKey: pki.machine().privateKey };
    assertRefused("token-signature", () => callerOf(forge(other, {})));
  });
});

describe("a token with a certificate is refused", () => {
  const claims: readonly (readonly [string, AuthnErrorCode, Readonly<Record<string, unknown>>])[] =
    [
      ["without jti", "token-claims", { jti: undefined }],
      ["with an empty jti", "token-claims", { jti: "" }],
      ["for another audience", "token-audience", { aud: "istio-ca" }],
      ["without iat", "token-claims", { iat: undefined }],
      ["without exp", "token-claims", { exp: undefined }],
      ["for longer than five minutes", "token-lifetime", { exp: NOW + 301 }],
      ["that is over", "token-expired", { iat: NOW - 10, exp: NOW }],
      ["of tomorrow", "token-not-yet-valid", { iat: NOW + 11, exp: NOW + 60 }],
      ["of before the start of the server", "token-replayed", { iat: NOW - 61, exp: NOW + 60 }],
    ];
  for (const [what, code, changes] of claims) {
    test(`${what}: ${code}`, () => assertRefused(code, () => callerOf(forge(leaf, changes))));
  }

  const der = Buffer.from(leaf.node.der).toString("base64");
  const headers: readonly (readonly [string, AuthnErrorCode, Readonly<Record<string, unknown>>])[] =
    [
      ["with an algorithm of no key", "token-algorithm", { alg: "none" }],
      ["with a secret's algorithm", "token-algorithm", { alg: "HS256" }],
      ["with another curve's algorithm", "token-algorithm", { alg: "ES384" }],
      ["with an RSA key's algorithm", "token-algorithm", { alg: "RS256" }],
      ["with a critical extension", "token-malformed", { crit: ["x"] }],
      ["as another kind", "token-malformed", { typ: "at+jwt" }],
      ["with no certificate", "token-malformed", { x5c: [] }],
      ["with null", "token-malformed", { x5c: null }],
      ["with a text", "token-malformed", { x5c: der }],
      ["with five certificates", "token-malformed", { x5c: [der, der, der, der, der] }],
      ["with a number among them", "token-malformed", { x5c: [der, 1] }],
      [
        "with base64url",
        "token-malformed",
        { x5c: [Buffer.from(leaf.node.der).toString("base64url")] },
      ],
      ["with base64 of two lines", "token-malformed", { x5c: [`${der.slice(0, 64)}\n${der}`] }],
      ["with PEM", "token-malformed", { x5c: [leaf.node.certPem] }],
      ["with something that is no certificate", "x5c-chain", { x5c: ["AAAA"] }],
      ["with bytes after the certificate", "x5c-chain", { x5c: [withByte(leaf.node.der)] }],
    ];
  for (const [what, code, header] of headers) {
    test(`${what}: ${code}`, () => assertRefused(code, () => callerOf(forge(leaf, {}, header))));
  }

  test("longer than any chain needs to be", () => {
    const long = forge(leaf, { padding: "x".repeat(12_288) });
    assertRefused("token-malformed", () => callerOf(long));
  });

  test("without one in its header", () => {
    const plain = signToken(makeTokenKey("ES256", "k"));
    assertRefused("token-method", () => callerOf(plain));
  });

  test("at the door of the issuers", () => {
    assertRefused("token-method", () => parseJws(tokenOf(leaf)));
    assertRefused("token-method", () => parseJws(forge(leaf, {}, { x5c: null })));
  });

  test("the second time, whatever is signed besides its jti", () => {
    const door = authenticator();
    const token = tokenOf(leaf);
    assert.ok(door.authenticate(token, nowMs));
    assertRefused("token-replayed", () => door.authenticate(token, nowMs));
    // Another signature over the same claims, and other claims of the same jti.
    const again = forge(leaf, { jti: "same" });
    assert.ok(door.authenticate(again, nowMs));
    assertRefused("token-replayed", () => door.authenticate(forge(leaf, { jti: "same" }), nowMs));
    // Nobody uses up another's.
    const neighbour = pki.machine({ san: "DNS:db-2.corp.example" });
    assert.ok(door.authenticate(forge(neighbour, { jti: "same" }), nowMs));
  });

  test("and is not used up by a refusal", () => {
    const door = authenticator();
    const good = forge(leaf, { jti: "once" });
    const bad = forge(leaf, { jti: "once", aud: "x" });
    assertRefused("token-audience", () => door.authenticate(bad, nowMs));
    const [header, payload] = good.split(".");
    assertRefused("token-signature", () =>
      door.authenticate(`${header}.${payload}.${"A".repeat(86)}`, nowMs),
    );
    assert.ok(door.authenticate(good, nowMs));
  });
});

function withByte(der: Uint8Array): string {
  return Buffer.concat([der, Uint8Array.of(0)]).toString("base64");
}

test("answers any change of a good token with a denial", () => {
  const good = tokenOf(pki.machine({ issuer: pki.intermediate() }));
  const change = fc.record({
    at: fc.nat({ max: good.length - 1 }),
    drop: fc.nat({ max: 3 }),
    put: fc.oneof(fc.base64String({ maxLength: 4 }), fc.string({ maxLength: 3 })),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let token = good;
      for (const { at, drop, put } of changes) {
        token = token.slice(0, at) + put + token.slice(at + drop);
      }
      if (token === good) return;
      assert.throws(
        () => callerOf(token),
        (error) => error instanceof AuthnError,
      );
    }),
    { numRuns: 400 },
  );
});

test("answers any certificate, made of a good one by changing its bytes, with a denial", () => {
  const { der } = leaf.node;
  const change = fc.record({
    at: fc.nat({ max: der.length - 1 }),
    octet: fc.nat({ max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const changed = Buffer.from(der);
      for (const { at, octet } of changes) changed[at] = octet;
      if (changed.equals(der)) return;
      const token = forge(leaf, {}, { x5c: [changed.toString("base64")] });
      assertRefused("x5c-chain", () => callerOf(token));
    }),
    { numRuns: 400 },
  );
});
