/**
 * The verifier against `jose`: whatever ours accepts jose accepts, with the same claims, and both
 * accept what an issuer signs. Ours may refuse more: it knows one spelling of each token.
 */

import assert from "node:assert/strict";
import { createHmac, sign } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JWTPayload } from "jose";
import { createLocalJWKSet, jwtVerify } from "jose";
import {
  encodeSegment,
  fixedKeys,
  jwksDocument,
  kubernetesClaims,
  makeTokenKeys,
  signToken,
  TEST_ISSUER,
  TEST_NOW_MS,
} from "../../../test/support/tokens.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import type { Caller } from "../../core/identity/caller.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { TokenAuthenticator } from "./token-authenticator.ts";

const keys = makeTokenKeys();
const document = jwksDocument(...keys);
const joseKeys = createLocalJWKSet(JSON.parse(document));

async function verifyWithJose(token: string): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, joseKeys, {
      issuer: TEST_ISSUER,
      audience: "istio-ca",
      algorithms: keys.map(({ algorithm }) => algorithm),
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(TEST_NOW_MS),
      clockTolerance: 10,
    });
    return payload;
  } catch {
    return undefined;
  }
}

const authenticator = new TokenAuthenticator({
  issuer: TEST_ISSUER,
  keys: fixedKeys(document),
  trustDomain: TrustDomain.parse("example.com"),
});

function verifyWithOurs(token: string): Caller | undefined {
  try {
    return authenticator.authenticate(token, TEST_NOW_MS);
  } catch (error) {
    assert.ok(error instanceof AuthnError, `not an AuthnError: ${String(error)}`);
    return undefined;
  }
}

async function assertAgreement(token: string): Promise<boolean> {
  const ours = verifyWithOurs(token);
  if (ours === undefined) return false;
  const theirs = await verifyWithJose(token);
  assert.ok(theirs !== undefined, "ours accepts what jose refuses");
  assert.equal(`system:serviceaccount:${ours.namespace}:${ours.serviceAccount}`, theirs.sub);
  assert.equal(ours.expiresAtMs / 1000, theirs.exp);
  assert.ok(ours.evidence.method === "jwt");
  assert.equal(ours.evidence.issuer, theirs.iss);
  assert.equal(ours.evidence.tokenId, theirs.jti);
  return true;
}

/** The algorithm is of no matter to the claims, and OpenSSL is slow on the larger curves. */
const fastKeys = keys.filter(({ algorithm }) => algorithm.endsWith("256"));
const anyKey = fc.constantFrom(...fastKeys);
const anyName = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);

test("both accept whatever an issuer may sign", async () => {
  const audiences = fc.constantFrom("istio-ca", ["istio-ca"], ["vault", "istio-ca"]);
  const times = fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 1e9 }));
  await fc.assert(
    fc.asyncProperty(anyKey, anyName, anyName, audiences, times, async (key, ns, sa, aud, time) => {
      const serviceaccount = { name: sa, uid: "u" };
      const payload = kubernetesClaims({
        aud,
        sub: `system:serviceaccount:${ns}:${sa}`,
        nbf: TEST_NOW_MS / 1000 + time[0],
        exp: TEST_NOW_MS / 1000 + time[1],
        "kubernetes.io": { namespace: ns, serviceaccount },
      });
      assert.ok(await assertAgreement(signToken(key, { payload })));
    }),
    { numRuns: 100 },
  );
});

/** Values that a claim or a member of the header should not, or only just, have. */
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom("", "istio-ca", TEST_ISSUER, ["istio-ca"], [["istio-ca"]], "JWT", "none"),
  fc.constantFrom(...keys.map(({ algorithm }) => algorithm), "HS256", "EdDSA"),
  fc.integer({ min: -20, max: 20 }).map((seconds) => TEST_NOW_MS / 1000 + seconds),
  fc.double({ min: -1.5, max: 1.5, noNaN: true }).map((seconds) => TEST_NOW_MS / 1000 + seconds),
  fc.constantFrom(2 ** 53, 1e300, -1, 0, `${TEST_NOW_MS / 1000 + 9}`),
);

test("ours accepts no odd claims or headers that jose refuses", async () => {
  const claims = fc.constantFrom("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "kubernetes.io");
  const members = fc.constantFrom("alg", "kid", "typ", "crit", "b64", "jwk", "cty");
  await fc.assert(
    fc.asyncProperty(
      anyKey,
      fc.dictionary(claims, oddValue, { maxKeys: 2 }),
      fc.dictionary(members, oddValue, { maxKeys: 2 }),
      async (key, claimChanges, headerChanges) => {
        const header = { alg: key.algorithm, kid: key.keyId, ...headerChanges };
        const payload = kubernetesClaims(claimChanges);
        await assertAgreement(signToken(key, { header, payload }));
      },
    ),
    { numRuns: 600 },
  );
});

const NUMBERS = ["1e309", "-1e309", "1e-309", "9".repeat(400), "-0", "1795525200.0", "1.7955252e9"];

test("ours accepts no odd numbers that jose refuses", async () => {
  const json = JSON.stringify(kubernetesClaims());
  for (const number of [...NUMBERS, "NaN", "Infinity", "0x6b05f0d0", "01795525200", "+1"]) {
    for (const claim of ["exp", "nbf", "iat"]) {
      const payload = `${json.slice(0, -1)},"${claim}":${number}}`;
      for (const key of fastKeys) await assertAgreement(signToken(key, { payload }));
    }
  }
});

/** What can be done to a token by those who cannot sign. */
const noise = fc.constantFrom(".", "=", "+", "/", " ", "\n", "\0", "A", "\u00e9");
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("flip"), at: fc.nat(), bit: fc.nat(6) }),
  fc.record({ kind: fc.constant("insert"), at: fc.nat(), text: noise }),
  fc.record({ kind: fc.constant("delete"), at: fc.nat(), length: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant("shuffle"), order: fc.array(fc.nat(2), { maxLength: 4 }) }),
);

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(token: string, change: Mutation): string {
  if ("order" in change) {
    const segments = token.split(".");
    return change.order.map((index) => segments[index]).join(".");
  }
  const at = change.at % token.length;
  const [head, tail] = [token.slice(0, at), token.slice(at)];
  if ("text" in change) return head + change.text + tail;
  if ("length" in change) return head + tail.slice(change.length);
  return head + String.fromCharCode(tail.charCodeAt(0) ^ (1 << change.bit)) + tail.slice(1);
}

test("ours accepts a token in no other spelling", async () => {
  const tokens = fc.constantFrom(...keys.map((key) => signToken(key)));
  await fc.assert(
    fc.asyncProperty(tokens, mutation, async (token, change) => {
      const changed = mutate(token, change);
      assert.equal(await assertAgreement(changed), changed === token);
    }),
    { numRuns: 2000 },
  );
});

test("both refuse each key under the name and algorithm of each other", async () => {
  for (const signer of keys) {
    for (const named of keys) {
      for (const alg of [signer.algorithm, named.algorithm, "HS256", "none"]) {
        const token = signToken(signer, { header: { alg, kid: named.keyId } });
        const isRight = signer === named && alg === signer.algorithm;
        assert.equal(verifyWithOurs(token) !== undefined, isRight);
        assert.equal((await verifyWithJose(token)) !== undefined, isRight);
      }
    }
  }
});

test("both refuse an ECDSA signature in DER and an HMAC with the public key", async () => {
  for (const key of keys) {
    const header = encodeSegment({ alg: key.algorithm, kid: key.keyId });
    const input = `${header}.${encodeSegment(kubernetesClaims())}`;
    const pem = key.publicKey.export({ format: "pem", type: "spki" });
    const signatures = [createHmac("sha256", pem).update(input).digest()];
    if (key.algorithm.startsWith("ES")) {
      signatures.push(sign(`sha${key.algorithm.slice(2)}`, Buffer.from(input), key.privateKey));
    }
    for (const signature of signatures) {
      const token = `${input}.${signature.toString("base64url")}`;
      assert.equal(verifyWithOurs(token), undefined);
      assert.equal(await verifyWithJose(token), undefined);
    }
  }
});

test("throws nothing but AuthnError, whatever text it is given", () => {
  const segment = fc.oneof(fc.string(), fc.base64String(), fc.json().map(encodeSegment));
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(segment).map((all) => all.join(".")),
  );
  fc.assert(
    fc.property(text, (token) => {
      assert.equal(verifyWithOurs(token), undefined);
    }),
    { numRuns: 1000 },
  );
});
