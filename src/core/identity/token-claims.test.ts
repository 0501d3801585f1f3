import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { kubernetesClaims, TEST_ISSUER, TEST_NOW_MS } from "../../../test/support/tokens.ts";
import { AuthnError } from "./authn-error.ts";
import { parseTokenClaims } from "./token-claims.ts";

function assertRefused(payload: unknown): void {
  assert.throws(
    () => parseTokenClaims(payload),
    (error) => error instanceof AuthnError && error.code === "token-claims",
  );
}

test("reads the claims that Kubernetes writes", () => {
  assert.deepEqual(parseTokenClaims(kubernetesClaims()), {
    issuer: TEST_ISSUER,
    audiences: ["istio-ca"],
    subject: "system:serviceaccount:shop:cart",
    tokenId: "0f0c7d0e-7bb5-4d0f-8a5a-3f5f0b6f2a11",
    issuedAtMs: TEST_NOW_MS,
    validity: { notBeforeMs: TEST_NOW_MS, expiresAtMs: TEST_NOW_MS + 3_600_000 },
    binding: {
      namespace: "shop",
      serviceAccount: { name: "cart", uid: "9b2f6a3e-1111-4c8e-8a48-5a3b3f0b7c9d" },
      pod: { name: "cart-6f9c7-x2x4z", uid: "d2a3a8c2-57b3-4f5f-9a31-4d1b8a3f7a52" },
      node: { name: "node-1", uid: "6c6f4b52-8a5c-4a51-9d59-0f6ad1f1f0a1" },
      secret: undefined,
    },
  });
});

test("reads the least that a token may say", () => {
  const claims = parseTokenClaims({ iss: "i", aud: "a", exp: 1, sub: "s" });
  assert.deepEqual(claims.audiences, ["a"]);
  assert.deepEqual(claims.validity, { notBeforeMs: undefined, expiresAtMs: 1000 });
  assert.equal(claims.binding, undefined);
  assert.equal(claims.tokenId, undefined);
});

function notBefore(changes: Record<string, unknown>): number | undefined {
  return parseTokenClaims(kubernetesClaims(changes)).validity.notBeforeMs;
}

test("takes the later of nbf and iat, and either alone", () => {
  assert.equal(notBefore({ nbf: 5, iat: 7 }), 7000);
  assert.equal(notBefore({ nbf: 7, iat: 5 }), 7000);
  assert.equal(notBefore({ nbf: 7, iat: undefined }), 7000);
  assert.equal(notBefore({ nbf: undefined, iat: 5 }), 5000);
});

test("knows a node that has no UID", () => {
  const account = { name: "cart", uid: "u" };
  const bound = { namespace: "shop", serviceaccount: account, node: { name: "gone" } };
  const claims = parseTokenClaims(kubernetesClaims({ "kubernetes.io": bound }));
  assert.deepEqual(claims.binding?.node, { name: "gone" });
});

const NOT_OBJECTS = [undefined, null, true, 0, "", "{}", []];

for (const payload of NOT_OBJECTS) {
  test(`refuses ${JSON.stringify(payload)} as claims`, () => assertRefused(payload));
}

for (const claim of ["iss", "aud", "exp", "sub"]) {
  test(`refuses claims without ${claim}`, () => {
    assertRefused(kubernetesClaims({ [claim]: undefined }));
  });
}

const NOT_TIMES = [null, "1795525200", "", true, [], {}, -1, 1.5, NaN, Infinity, -Infinity];

for (const claim of ["exp", "nbf", "iat"]) {
  for (const time of [...NOT_TIMES, 253_402_300_800, 1e300, 2 ** 53]) {
    test(`refuses ${inspect(time)} as ${claim}`, () => {
      assertRefused(kubernetesClaims({ [claim]: time }));
    });
  }
}

const object = { name: "n", uid: "u" };
const bound = { namespace: "shop", serviceaccount: object };

const UNFIT: readonly (readonly [string, Record<string, unknown>])[] = [
  ["a number as iss", { iss: 1 }],
  ["a list as sub", { sub: ["system:serviceaccount:shop:cart"] }],
  ["a number as aud", { aud: 1 }],
  ["an object as aud", { aud: { 0: "istio-ca", length: 1 } }],
  ["null as aud", { aud: null }],
  ["a list with something else in it as aud", { aud: ["istio-ca", 1] }],
  ["a list in a list as aud", { aud: [["istio-ca"]] }],
  ["an empty jti", { jti: "" }],
  ["a number as jti", { jti: 1 }],
  ["a jti with a line break", { jti: "a\nb" }],
  ["a jti without end", { jti: "a".repeat(129) }],
  ["null as kubernetes.io", { "kubernetes.io": null }],
  ["a list as kubernetes.io", { "kubernetes.io": [] }],
  ["kubernetes.io without a namespace", { "kubernetes.io": { ...bound, namespace: undefined } }],
  ["no bound account", { "kubernetes.io": { ...bound, serviceaccount: undefined } }],
  ["a bound account by its name only", { "kubernetes.io": { ...bound, serviceaccount: "cart" } }],
  ["an account without UID", { "kubernetes.io": { ...bound, serviceaccount: { name: "cart" } } }],
  ["null as pod", { "kubernetes.io": { ...bound, pod: null } }],
  ["a pod without UID", { "kubernetes.io": { ...bound, pod: { name: "p" } } }],
  ["a pod without name", { "kubernetes.io": { ...bound, pod: { uid: "u" } } }],
  ["a pod name with a slash", { "kubernetes.io": { ...bound, pod: { ...object, name: "a/b" } } }],
  ["a pod UID with a space", { "kubernetes.io": { ...bound, pod: { ...object, uid: "a b" } } }],
  ["a node without name", { "kubernetes.io": { ...bound, node: { uid: "u" } } }],
  ["a number as node UID", { "kubernetes.io": { ...bound, node: { name: "n", uid: 1 } } }],
];

for (const [what, changes] of UNFIT) {
  test(`refuses ${what}`, () => assertRefused(kubernetesClaims(changes)));
}

test("throws nothing but AuthnError, whatever JSON it is given", () => {
  const names = fc.constantFrom(...Object.keys(kubernetesClaims()), "__proto__", "constructor");
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue()), (changes) => {
      try {
        parseTokenClaims({ ...kubernetesClaims(), ...changes });
      } catch (error) {
        assert.ok(error instanceof AuthnError);
        assert.equal(error.code, "token-claims");
        assert.ok(error.message.length < 250);
      }
    }),
    { numRuns: 500 },
  );
});
