import assert from "node:assert/strict";
import { test } from "node:test";
import { SpiffeId } from "../spiffe/id.ts";
import { AuthnError, type AuthnErrorCode } from "./authn-error.ts";
import type { Caller } from "./caller.ts";
import { callerOfRenewal, enrolmentOf, type Enrolment } from "./enrolment.ts";

const JOINED_MS = 1_795_521_600_000;
const dayMs = 86_400_000;
const id = SpiffeId.parse("spiffe://example.com/vm/db-1");
const other = SpiffeId.parse("spiffe://example.com/vm/db-2");
const peer = { id, serialHex: "7f01", notAfterMs: JOINED_MS + dayMs };
const joinTokenId = "00112233445566ff";
const enrolment: Enrolment = { ...peer, joinTokenId, enrolledAtMs: JOINED_MS };

test("makes the holder of an enrolled certificate the caller that it was", () => {
  const caller = callerOfRenewal(peer, enrolment, JOINED_MS + 3_600_000);
  assert.equal(caller.id, id);
  assert.equal(caller.expiresAtMs, JOINED_MS + 7 * dayMs);
  assert.equal(caller.certificateNotAfterMs, JOINED_MS + 7 * dayMs);
  const { serialHex, enrolledAtMs } = enrolment;
  const evidence = { method: "certificate", serialHex, joinTokenId, enrolledAtMs };
  assert.deepEqual(caller.evidence, evidence);
});

test("ends seven days after the token, by whatever certificates it gets there", () => {
  let known = enrolment;
  let renewals = 0;
  for (let nowMs = JOINED_MS; nowMs < JOINED_MS + 7 * dayMs; nowMs += dayMs / 2) {
    const holder = { id, serialHex: known.serialHex, notAfterMs: known.notAfterMs };
    const caller = callerOfRenewal(holder, known, nowMs);
    const notAfterMs = Math.min(nowMs + dayMs, caller.certificateNotAfterMs ?? Infinity);
    const next = enrolmentOf(caller, { serialHex: `7f${renewals++}`, notAfterMs });
    assert.ok(next !== undefined);
    assert.equal(next.enrolledAtMs, JOINED_MS);
    assert.equal(next.joinTokenId, joinTokenId);
    assert.ok(next.notAfterMs <= JOINED_MS + 7 * dayMs);
    known = next;
  }
  assert.equal(renewals, 14);
  const eternal = { ...known, notAfterMs: Infinity };
  assert.throws(
    () => callerOfRenewal(eternal, known, JOINED_MS + 7 * dayMs),
    (error) => error instanceof AuthnError && error.code === "renewal-over",
  );
});

const REFUSED: readonly (readonly [string, AuthnErrorCode, Enrolment | undefined, number])[] = [
  ["a certificate that was not enrolled", "renewal-not-enrolled", undefined, JOINED_MS],
  [
    "the serial of another identity",
    "renewal-not-enrolled",
    { ...enrolment, id: other },
    JOINED_MS,
  ],
  [
    "another serial of its identity",
    "renewal-not-enrolled",
    { ...enrolment, serialHex: "7f02" },
    JOINED_MS,
  ],
  ["a certificate that is over", "renewal-certificate-expired", enrolment, JOINED_MS + dayMs],
  ["a clock that cannot be read", "renewal-certificate-expired", enrolment, NaN],
];

for (const [what, code, enrolment, nowMs] of REFUSED) {
  test(`refuses ${what}: ${code}`, () => {
    assert.throws(
      () => callerOfRenewal(peer, enrolment, nowMs),
      (error) => error instanceof AuthnError && error.code === code,
    );
  });
}

test("enrols nobody who has a token to come back with", () => {
  const evidences: readonly Caller["evidence"][] = [
    { method: "jwt", issuer: "i" },
    { method: "oidc", issuer: "i", subject: "s", rule: "/r" },
    { method: "x5c", entry: "e", tokenId: "t", serialHex: "1", fingerprint: "f", rule: "/r" },
  ];
  for (const evidence of evidences) {
    const caller = { id, expiresAtMs: JOINED_MS, evidence };
    assert.equal(enrolmentOf(caller, { serialHex: "1", notAfterMs: JOINED_MS }), undefined);
  }
});
