import assert from "node:assert/strict";
import { test } from "node:test";
import { kubernetesClaims, TEST_ISSUER, TEST_NOW_MS } from "../../../test/support/tokens.ts";
import { TrustDomain } from "../spiffe/id.ts";
import type { AuthnErrorCode } from "./authn-error.ts";
import { AuthnError } from "./authn-error.ts";
import type { Caller } from "./caller.ts";
import type { TokenRules } from "./kubernetes-caller.ts";
import { callerFromClaims } from "./kubernetes-caller.ts";
import { parseTokenClaims } from "./token-claims.ts";

const rules: TokenRules = {
  issuer: TEST_ISSUER,
  audiences: ["istio-ca", "portcullis"],
  trustDomain: TrustDomain.parse("example.com"),
  clockSkewMs: 10_000,
};

function call(changes: Record<string, unknown> = {}, nowMs: number = TEST_NOW_MS): Caller {
  return callerFromClaims(parseTokenClaims(kubernetesClaims(changes)), rules, nowMs);
}

function assertRefused(code: AuthnErrorCode, verdict: () => unknown): void {
  assert.throws(verdict, (error) => {
    assert.ok(error instanceof AuthnError);
    assert.equal(error.code, code);
    return true;
  });
}

test("makes the identity of sub and of the trust domain of this server", () => {
  const caller = call();
  assert.equal(caller.id.toString(), "spiffe://example.com/ns/shop/sa/cart");
  assert.equal(caller.namespace, "shop");
  assert.equal(caller.serviceAccount, "cart");
  assert.equal(caller.expiresAtMs, TEST_NOW_MS + 3_600_000);
});

test("keeps what the token was bound to as evidence", () => {
  assert.deepEqual(call().evidence, {
    method: "jwt",
    issuer: TEST_ISSUER,
    tokenId: "0f0c7d0e-7bb5-4d0f-8a5a-3f5f0b6f2a11",
    pod: { name: "cart-6f9c7-x2x4z", uid: "d2a3a8c2-57b3-4f5f-9a31-4d1b8a3f7a52" },
    node: { name: "node-1", uid: "6c6f4b52-8a5c-4a51-9d59-0f6ad1f1f0a1" },
    serviceAccountUid: "9b2f6a3e-1111-4c8e-8a48-5a3b3f0b7c9d",
  });
});

test("cannot be changed afterwards", () => {
  const caller = call();
  assert.ok(Object.isFrozen(caller) && Object.isFrozen(caller.evidence));
  assert.ok(Object.isFrozen(caller.evidence.pod) && Object.isFrozen(caller.evidence.node));
});

for (const aud of ["istio-ca", ["istio-ca"], ["other", "portcullis"]]) {
  test(`accepts the audience ${JSON.stringify(aud)}`, () => {
    assert.equal(call({ aud }).namespace, "shop");
  });
}

const binding = (namespace: string, name: string): Record<string, unknown> => ({
  "kubernetes.io": { namespace, serviceaccount: { name, uid: "u" } },
});

const REFUSED: readonly (readonly [string, AuthnErrorCode, Record<string, unknown>])[] = [
  ["another issuer", "token-issuer", { iss: "https://kubernetes.default.svc" }],
  ["the issuer with a slash more", "token-issuer", { iss: `${TEST_ISSUER}/` }],
  ["the issuer in another case", "token-issuer", { iss: TEST_ISSUER.toUpperCase() }],
  ["no issuer", "token-issuer", { iss: "" }],
  ["another audience", "token-audience", { aud: ["vault"] }],
  ["a part of the audience", "token-audience", { aud: "istio" }],
  ["two audiences in one string", "token-audience", { aud: "istio-ca portcullis" }],
  ["an empty list of audiences", "token-audience", { aud: [] }],
  ["a user as subject", "token-subject", { sub: "alice" }],
  ["a node as subject", "token-subject", { sub: "system:node:node-1" }],
  ["a binding to another namespace", "token-subject", binding("other", "cart")],
  ["a binding to another account", "token-subject", binding("shop", "other")],
  ["a binding with the two swapped", "token-subject", binding("cart", "shop")],
];

for (const [what, code, changes] of REFUSED) {
  test(`refuses ${what}`, () => assertRefused(code, () => call(changes)));
}

test("accepts a token until the millisecond in which it expires, and no longer", () => {
  assert.ok(call({}, TEST_NOW_MS + 3_599_999));
  assertRefused("token-expired", () => call({}, TEST_NOW_MS + 3_600_000));
  assertRefused("token-expired", () => call({}, TEST_NOW_MS + 3_600_001));
});

test("forgives an issuer whose clock runs ahead, within the skew", () => {
  for (const [nbf, iat] of [
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    const early = TEST_NOW_MS / 1000;
    const changes = { nbf: nbf ? early : undefined, iat: iat ? early : undefined };
    assert.ok(call(changes, TEST_NOW_MS - 10_000));
    assertRefused("token-not-yet-valid", () => call(changes, TEST_NOW_MS - 10_001));
  }
});

test("refuses when the clock cannot be read", () => {
  assertRefused("token-expired", () => call({}, NaN));
});

test("says what it expected and what it got, on one short line", () => {
  const aud = Array.from({ length: 50 }, () => `evil\n\u202e"${"x".repeat(400)}`);
  assert.throws(
    () => call({ aud }),
    ({ message }: AuthnError) =>
      message.startsWith('expected audience "istio-ca" or "portcullis", got "evil??') &&
      /^[\x20-\x7e]{1,500}$/.test(message),
  );
});
