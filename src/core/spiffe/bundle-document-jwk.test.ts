import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import type { JsonObject } from "../identity/json-object.ts";
import { JwkError, jwkOfSpki, spkiOfJwk, type JwkErrorCode } from "./bundle-document-jwk.ts";

function assertRefused(code: JwkErrorCode, verdict: () => unknown): void {
  assert.throws(verdict, (error) => {
    assert.ok(error instanceof JwkError, inspect(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength });
const spkiOf = (key: KeyObject) => new Uint8Array(key.export({ format: "der", type: "spki" }));
const jwkOf = (key: KeyObject): JsonObject => ({ ...key.export({ format: "jwk" }) });

const pairs = {
  "P-256": ec("P-256"),
  "P-384": ec("P-384"),
  "P-521": ec("P-521"),
  "RSA of 2048 bits": rsa(2_048),
};
const p256 = jwkOf(pairs["P-256"].publicKey);
const rsa2048 = jwkOf(pairs["RSA of 2048 bits"].publicKey);

describe("a public key as a JWK", () => {
  for (const [title, { publicKey, privateKey }] of Object.entries(pairs)) {
    it(`of ${title} is what Node makes of it, and the same key again`, () => {
      const jwk = jwkOfSpki(spkiOf(publicKey));
      assert.deepEqual(jwk, jwkOf(publicKey));
      assert.deepEqual(spkiOfJwk(jwk), spkiOf(publicKey));
    });

    it(`of ${title} is refused when it is the private one`, () => {
      assertRefused("jwk-private-key", () => spkiOfJwk(jwkOf(privateKey)));
    });
  }

  it("is refused with a single member of a private one, whatever its value", () => {
    for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) {
      for (const value of ["AQ", "", null, []]) {
        assertRefused("jwk-private-key", () => spkiOfJwk({ ...p256, [member]: value }));
        assertRefused("jwk-private-key", () => spkiOfJwk({ ...rsa2048, [member]: value }));
      }
    }
  });

  const weak: readonly (readonly [string, KeyObject])[] = [
    ["RSA of 1024 bits", rsa(1_024).publicKey],
    ["RSA with the exponent 1", rsaKey("AQ")],
    ["RSA with an even exponent", rsaKey("AQAA")],
    ["secp256k1", ec("secp256k1").publicKey],
    ["Ed25519", generateKeyPairSync("ed25519").publicKey],
    ["X25519", generateKeyPairSync("x25519").publicKey],
    ["RSA-PSS", generateKeyPairSync("rsa-pss", { modulusLength: 2_048 }).publicKey],
  ];
  for (const [title, key] of weak) {
    it(`is not made of ${title}`, () => {
      assertRefused("jwk-weak", () => jwkOfSpki(spkiOf(key)));
    });
  }

  for (const [title, jwk] of [
    ["RSA with the exponent 1", { ...rsa2048, e: "AQ" }],
    ["RSA of 8200 bits", { ...rsa2048, n: Buffer.alloc(1_025, 0xff).toString("base64url") }],
    ["secp256k1", jwkOf(ec("secp256k1").publicKey)],
  ] as const) {
    it(`is not read of ${title}`, () => {
      assertRefused("jwk-weak", () => spkiOfJwk(jwk));
    });
  }

  const offCurve = Buffer.alloc(32, 1).toString("base64url");
  const malformed: readonly (readonly [string, JsonObject])[] = [
    ["nothing in it", {}],
    ["no x", { ...p256, x: undefined }],
    ["an x that is a number", { ...p256, x: 1 }],
    ["no curve", { ...p256, crv: undefined }],
    ["a curve that nobody knows", { ...p256, crv: "P-257" }],
    ["another curve", { ...p256, crv: "P-384" }],
    ["a point off its curve", { ...p256, y: offCurve }],
    ["no modulus", { ...rsa2048, n: undefined }],
    ["a modulus that is null", { ...rsa2048, n: null }],
    ["no exponent", { ...rsa2048, e: undefined }],
    ["the type of another", { ...p256, kty: "RSA" }],
    ["a type in lower case", { ...p256, kty: "ec" }],
    ["a type that is inherited", { ...p256, kty: "__proto__" }],
  ];
  for (const [title, jwk] of malformed) {
    it(`is refused with ${title}`, () => {
      assertRefused("jwk-malformed", () => spkiOfJwk(jwk));
    });
  }

  it("is not made of bytes that are no key", () => {
    const spki = spkiOf(pairs["P-256"].publicKey);
    for (const bytes of [[], [0], spki.subarray(0, -1), Buffer.from("no key")]) {
      assertRefused("jwk-malformed", () => jwkOfSpki(Uint8Array.from(bytes)));
    }
  });

  it("is read or a JwkError, whatever its members", () => {
    const names = fc.constantFrom("kty", "crv", "x", "y", "n", "e", "d", "__proto__");
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom(...Object.values({ ...rsa2048, ...p256 })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(p256, rsa2048, {}),
        fc.dictionary(names, value, { maxKeys: 3 }),
        (jwk, changes) => {
          try {
            const spki = spkiOfJwk({ ...jwk, ...changes });
            assert.deepEqual(spkiOfJwk(jwkOfSpki(spki)), spki);
          } catch (error) {
            assert.ok(error instanceof JwkError, inspect(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

function rsaKey(e: string): KeyObject {
  return createPublicKey({ key: { ...rsa2048, e }, format: "jwk" });
}
