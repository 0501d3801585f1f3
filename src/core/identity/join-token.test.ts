import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { AuthnError } from "./authn-error.ts";
import {
  callerOfJoinToken,
  decideJoinTtlSeconds,
  encodeJoinToken,
  isJoinToken,
  JoinTokenError,
  joinTokenDigest,
  joinTokenId,
  parseJoinIdentity,
} from "./join-token.ts";

const NOW_MS = 1_795_521_600_000;
const trustDomain = TrustDomain.parse("example.com");
const token = encodeJoinToken(Uint8Array.from({ length: 32 }, (_, index) => index));

test("writes 256 bits behind a name that leaks are found by", () => {
  assert.equal(token, "portcullis-join-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
  assert.match(encodeJoinToken(randomBytes(32)), /^portcullis-join-[\w-]{43}$/);
});

test("is never taken for a JWS, nor a JWS for it", () => {
  assert.ok(isJoinToken(token));
  const header = Buffer.from('{"alg":"ES256"}').toString("base64url");
  for (const other of [`${header}.e30.AA`, "", "portcullis-joi", ` ${token}`, "Portcullis-join-"]) {
    assert.equal(isJoinToken(other), false);
  }
});

test("says in the log which token it is, and not enough to make it", () => {
  const id = joinTokenId(joinTokenDigest(token));
  assert.match(id, /^[0-9a-f]{16}$/);
  assert.ok(!token.includes(id));
  assert.notEqual(id, joinTokenId(joinTokenDigest(`${token.slice(0, -1)}9`)));
});

for (const path of ["/vm/db-1", "/ns/vm/sa/db", "/a"]) {
  test(`may be for ${path}`, () => {
    const id = `spiffe://example.com${path}`;
    assert.equal(parseJoinIdentity(id, trustDomain).toString(), id);
  });
}

for (const id of [
  "",
  "/vm/db-1",
  "spiffe://example.com",
  "spiffe://example.com/",
  "spiffe://other.example/vm/db-1",
  "spiffe://example.com.evil/vm/db-1",
  "SPIFFE://example.com/vm/db-1",
  "spiffe://example.com/portcullis",
  "spiffe://example.com/portcullis/server",
  "spiffe://example.com/ns/vm",
  "spiffe://example.com/ns/vm/sa/db/x",
  "spiffe://example.com/vm/../db",
  "spiffe://example.com/vm/d b",
  `spiffe://example.com/${"a".repeat(2048)}`,
]) {
  test(`is never for ${JSON.stringify(id).slice(0, 60)}`, () => {
    assert.throws(
      () => parseJoinIdentity(id, trustDomain),
      (error) => error instanceof JoinTokenError && error.code === "join-token-identity",
    );
  });
}

test("lives ten minutes unless told otherwise, and a day at most", () => {
  assert.equal(decideJoinTtlSeconds(0n), 600);
  assert.equal(decideJoinTtlSeconds(1n), 1);
  assert.equal(decideJoinTtlSeconds(86_400n), 86_400);
  for (const seconds of [-1n, 86_401n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    assert.throws(
      () => decideJoinTtlSeconds(seconds),
      (error) => error instanceof JoinTokenError && error.code === "join-token-ttl",
    );
  }
});

const grant = {
  digest: joinTokenDigest(token),
  id: SpiffeId.parse("spiffe://example.com/vm/db-1"),
  expiresAtMs: NOW_MS + 600_000,
};
const dayMs = 86_400_000;

test("makes its bearer what it was made for, for seven days of certificates", () => {
  const caller = callerOfJoinToken(grant, NOW_MS + 999);
  assert.equal(caller.id, grant.id);
  assert.equal(caller.certificateNotAfterMs, NOW_MS + 7 * dayMs);
  assert.deepEqual(caller.evidence, {
    method: "join-token",
    joinTokenId: joinTokenId(grant.digest),
    enrolledAtMs: NOW_MS,
  });
});

test("is over at the millisecond at which it expires, and when the clock cannot be read", () => {
  assert.ok(callerOfJoinToken(grant, NOW_MS + 599_999));
  for (const nowMs of [NOW_MS + 600_000, NaN]) {
    assert.throws(
      () => callerOfJoinToken(grant, nowMs),
      (error) => error instanceof AuthnError && error.code === "join-token-expired",
    );
  }
  assert.throws(
    () => callerOfJoinToken(undefined, NOW_MS),
    (error) => error instanceof AuthnError && error.code === "join-token-unknown",
  );
});
