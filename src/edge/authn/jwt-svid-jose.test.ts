/**
 * JWT-SVIDs against `jose`: whatever ours accepts jose accepts, with the same claims, and both
 * accept what an issuer signs. Ours refuses more: header parameters, spellings of a token, times.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { createLocalJWKSet, jwtVerify, type JWTPayload } from "jose";
import {
  encodeSegment,
  makeTokenKeys,
  signToken,
  TEST_NOW_MS,
  type TokenKey,
} from "../../../test/support/tokens.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { encodeJwks } from "../../core/spiffe/bundle-document.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle } from "../../core/spiffe/trust-bundle.ts";
import { verifyJwtSvid, type VerifiedJwtSvid } from "./jwt-svid.ts";

const NOW = TEST_NOW_MS / 1_000;
const claims = { sub: "spiffe://cluster.local/ns/shop/sa/cart", aud: ["db"], exp: NOW + 300 };

/** The algorithm is of no matter to the claims, and OpenSSL is slow on the larger curves. */
const keys = makeTokenKeys().filter(({ algorithm }) => algorithm.endsWith("256"));
const bundle = trustBundle(
  TrustDomain.parse("cluster.local"),
  1n,
  [Uint8Array.of(0)],
  keys.map(({ keyId, publicKey }) => {
    return { keyId, spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
  }),
);
const joseKeys = createLocalJWKSet(JSON.parse(encodeJwks(bundle.jwtKeys)));

async function verifyWithJose(token: string): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, joseKeys, {
      audience: "db",
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(TEST_NOW_MS),
      clockTolerance: 10,
    });
    return payload;
  } catch {
    return undefined;
  }
}

function verifyWithOurs(token: string): VerifiedJwtSvid | undefined {
  try {
    return verifyJwtSvid(token, bundle, "db", TEST_NOW_MS);
  } catch (error) {
    assert.ok(error instanceof AuthnError, `not an AuthnError: ${inspect(error)}`);
    return undefined;
  }
}

/** @returns whether ours accepts it */
async function assertAgreement(token: string): Promise<boolean> {
  const ours = verifyWithOurs(token);
  if (ours === undefined) return false;
  const theirs = await verifyWithJose(token);
  assert.ok(theirs !== undefined, "ours accepts what jose refuses");
  assert.deepEqual(ours.claims, theirs);
  assert.equal(ours.id.toString(), theirs.sub);
  assert.equal(ours.validity.expiresAtMs / 1_000, theirs.exp);
  return true;
}

function svid(key: TokenKey, header: object = {}, payload: unknown = claims): string {
  return signToken(key, { header: { alg: key.algorithm, kid: key.keyId, ...header }, payload });
}

const anyKey = fc.constantFrom(...keys);

test("both accept whatever an issuer may sign", async () => {
  const path = fc.stringMatching(/^(\/[A-Za-z0-9_-]{1,12}){1,4}$/);
  const aud = fc.constantFrom("db", ["db"], ["web", "db"]);
  const typ = fc.constantFrom(undefined, "JWT", "JOSE");
  const [nbf, exp] = [fc.integer({ min: -60, max: 10 }), fc.integer({ min: 1, max: 1e9 })];
  await fc.assert(
    fc.asyncProperty(anyKey, path, aud, typ, nbf, exp, async (key, path, aud, typ, nbf, exp) => {
      const sub = `spiffe://cluster.local${path}`;
      const payload = { sub, aud, nbf: NOW + nbf, exp: NOW + exp };
      assert.ok(await assertAgreement(svid(key, { typ }, payload)));
    }),
    { numRuns: 100 },
  );
});

/** Values that a claim or a member of the header should not, or only just, have. */
const oddValue = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.constantFrom("", "db", ["db"], [["db"]], "JWT", "JOSE", "none", "HS256", "EdDSA", claims.sub),
  fc.constantFrom(...keys.map(({ algorithm }) => algorithm)),
  fc.integer({ min: -20, max: 20 }).map((seconds) => NOW + seconds),
  fc.double({ min: -1.5, max: 1.5, noNaN: true }).map((seconds) => NOW + seconds),
  fc.constantFrom(2 ** 53, 1e300, -1, 0, String(NOW + 9)),
);

test("ours accepts no odd claims or headers that jose refuses", async () => {
  const names = fc.constantFrom("sub", "aud", "exp", "nbf", "iat", "jti", "iss");
  const members = fc.constantFrom("alg", "kid", "typ", "crit", "b64", "jwk", "cty");
  const accepted = { yes: 0, no: 0 };
  await fc.assert(
    fc.asyncProperty(
      anyKey,
      fc.dictionary(names, oddValue, { maxKeys: 2 }),
      fc.option(fc.dictionary(members, oddValue, { maxKeys: 2 }), { nil: {} }),
      async (key, claimChanges, headerChanges) => {
        const token = svid(key, headerChanges, { ...claims, ...claimChanges });
        accepted[(await assertAgreement(token)) ? "yes" : "no"] += 1;
      },
    ),
    { numRuns: 600 },
  );
  // A comparison where one side never speaks compares nothing.
  assert.ok(accepted.yes > 10 && accepted.no > 10, inspect(accepted));
});

test("ours accepts no odd numbers that jose refuses", async () => {
  const json = JSON.stringify(claims);
  const numbers = ["1e309", "-1e309", "1e-309", "9".repeat(400), "-0", "1795525200.0", "NaN", "+1"];
  for (const number of [...numbers, "1.7955252e9", "Infinity", "0x6b05f0d0", "01795525200"]) {
    for (const claim of ["exp", "nbf", "iat"]) {
      const payload = `${json.slice(0, -1)},"${claim}":${number}}`;
      for (const key of keys) await assertAgreement(svid(key, {}, payload));
    }
  }
});

test("both refuse an HMAC with a public key as its secret", async () => {
  for (const { keyId: kid, algorithm, publicKey } of keys) {
    const pem = publicKey.export({ format: "pem", type: "spki" });
    const der = publicKey.export({ format: "der", type: "spki" });
    for (const alg of ["HS256", algorithm]) {
      const input = `${encodeSegment({ alg, kid })}.${encodeSegment(claims)}`;
      for (const secret of [pem, der, ""]) {
        const mac = createHmac("sha256", secret).update(input).digest("base64url");
        assert.equal(verifyWithOurs(`${input}.${mac}`), undefined);
        assert.equal(await verifyWithJose(`${input}.${mac}`), undefined);
      }
    }
  }
});

for (const key of keys) {
  test(`a token under ${key.algorithm} is refused when one character is another`, () => {
    const good = svid(key);
    assert.ok(verifyWithOurs(good) !== undefined);
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const alphabet = `${letters}0123456789-_`.split("");
    const character = fc.constantFrom(...alphabet, ".", "=", "+", "/", " ", "\n", "\0", "\u0430");
    fc.assert(
      fc.property(fc.nat(good.length - 1), character, (at, other) => {
        fc.pre(good[at] !== other);
        assert.equal(verifyWithOurs(good.slice(0, at) + other + good.slice(at + 1)), undefined);
      }),
      { numRuns: 600 },
    );
    // Where a forgiving decoder would see the same bytes again.
    for (const end of [good.indexOf("."), good.lastIndexOf("."), good.length]) {
      for (const other of alphabet) {
        if (other === good[end - 1]) continue;
        const changed = good.slice(0, end - 1) + other + good.slice(end);
        assert.equal(verifyWithOurs(changed), undefined, `${other} before ${end}`);
      }
    }
  });
}

test("throws nothing but AuthnError, whatever text it is given", () => {
  const segment = fc.oneof(fc.string(), fc.base64String(), fc.json().map(encodeSegment));
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(segment, { maxLength: 4 }).map((all) => all.join(".")),
  );
  fc.assert(
    fc.property(text, (token) => {
      assert.equal(verifyWithOurs(token), undefined);
    }),
    { numRuns: 1_000 },
  );
});
