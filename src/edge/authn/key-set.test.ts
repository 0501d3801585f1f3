import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { jwksDocument, makeTokenKey } from "../../../test/support/tokens.ts";
import type { JwsAlgorithm } from "./jws-algorithm.ts";
import { findJwsAlgorithm } from "./jws-algorithm.ts";
import type { JwksErrorCode } from "./key-set.ts";
import { JwksError, KeySet } from "./key-set.ts";
import type { JwkRefusal } from "./verification-key.ts";
import { parseJwk } from "./verification-key.ts";

const rsa = makeTokenKey("RS256", "rsa");
const p256 = makeTokenKey("ES256", "p256");

function algorithm(name: string): JwsAlgorithm {
  const found = findJwsAlgorithm(name);
  assert.ok(found);
  return found;
}

function namesOf(jwk: unknown): readonly string[] {
  const key = parseJwk(jwk);
  assert.ok(typeof key === "object");
  return [...key.algorithms].map(({ name }) => name);
}

const { alg: _rsaAlg, ...anyRsa } = rsa.jwk;
const { alg: _ecAlg, ...anyEc } = p256.jwk;

test("lets a key serve the algorithm that it names, or all that fit it", () => {
  assert.deepEqual(namesOf(rsa.jwk), ["RS256"]);
  assert.deepEqual(namesOf(p256.jwk), ["ES256"]);
  assert.deepEqual(namesOf(anyEc), ["ES256"]);
  assert.deepEqual(namesOf(anyRsa), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
});

/** A P-256 key with a character of `y` changed, so that the point leaves the curve. */
const offCurve = { ...p256.jwk, y: `A${String(p256.jwk["x"]).slice(1)}` };
const short = generateKeyPairSync("rsa", { modulusLength: 1024 });
const curve25519 = generateKeyPairSync("ed25519");

const REFUSED: readonly (readonly [string, JwkRefusal, unknown])[] = [
  ["null", "not-an-object", null],
  ["a string", "not-an-object", "key"],
  ["a list", "not-an-object", [rsa.jwk]],
  ["a private RSA key", "private-key", rsa.privateKey.export({ format: "jwk" })],
  ["a private EC key", "private-key", p256.privateKey.export({ format: "jwk" })],
  ["a secret", "private-key", { kty: "oct", k: "AAAA", kid: "rsa" }],
  ["a key for encryption", "not-for-signatures", { ...rsa.jwk, use: "enc" }],
  ["a use that is not a string", "not-for-signatures", { ...rsa.jwk, use: 1 }],
  ["a key for signing only", "not-for-signatures", { ...rsa.jwk, key_ops: ["sign"] }],
  ["operations that are no list", "not-for-signatures", { ...rsa.jwk, key_ops: "verify" }],
  ["no kty", "unknown-key-type", { ...rsa.jwk, kty: undefined }],
  ["a kty yet to come", "unknown-key-type", { ...rsa.jwk, kty: "AKP" }],
  ["an inherited name as kty", "unknown-key-type", { ...rsa.jwk, kty: "constructor" }],
  ["Ed25519", "unknown-key-type", curve25519.publicKey.export({ format: "jwk" })],
  ["an RSA key for an EC algorithm", "unknown-algorithm", { ...rsa.jwk, alg: "ES256" }],
  ["an EC key for an RSA algorithm", "unknown-algorithm", { ...p256.jwk, alg: "RS256" }],
  ["an EC key for another curve's", "unknown-algorithm", { ...p256.jwk, alg: "ES384" }],
  ["an RSA key for encryption by alg", "unknown-algorithm", { ...rsa.jwk, alg: "RSA-OAEP" }],
  ["an RSA key for an HMAC", "unknown-algorithm", { ...rsa.jwk, alg: "HS256" }],
  ["a key for no algorithm", "unknown-algorithm", { ...rsa.jwk, alg: "none" }],
  ["an alg that is not a string", "unknown-algorithm", { ...rsa.jwk, alg: ["RS256"] }],
  ["an unknown curve", "unknown-algorithm", { ...anyEc, crv: "secp256k1" }],
  ["a number as key ID", "invalid-key-id", { ...rsa.jwk, kid: 1 }],
  ["no modulus", "invalid-key", { ...rsa.jwk, n: undefined }],
  ["a modulus that is not a string", "invalid-key", { ...rsa.jwk, n: 1 }],
  ["no coordinate", "invalid-key", { ...p256.jwk, y: undefined }],
  ["a point that is not on the curve", "invalid-key", offCurve],
  ["a key of 1024 bits", "weak-key", short.publicKey.export({ format: "jwk" })],
  ["a modulus of 16384 bits", "weak-key", { ...anyRsa, n: "-".repeat(2731) }],
  ["an exponent of 1", "weak-key", { ...rsa.jwk, e: "AQ" }],
  ["an even exponent", "weak-key", { ...rsa.jwk, e: "AQAA" }],
  ["an exponent of 40 bits", "weak-key", { ...rsa.jwk, e: "AQAAAAE" }],
];

for (const [what, reason, jwk] of REFUSED) {
  test(`passes over ${what}: ${reason}`, () => {
    assert.equal(parseJwk(jwk), reason);
    const keySet = KeySet.parse(JSON.stringify({ keys: [jwk ?? null, p256.jwk] }));
    assert.deepEqual(keySet.keyIds, ["p256"]);
    assert.equal(keySet.skipped.length, 1);
  });
}

test("finds a key by its ID and never by another", () => {
  const keySet = KeySet.parse(jwksDocument(rsa, p256));
  const found = keySet.find("rsa", algorithm("RS256"));
  assert.ok(found.kind === "found" && found.key.keyId === "rsa");
  assert.equal(keySet.find("p256", algorithm("ES256")).kind, "found");
  assert.equal(keySet.find("other", algorithm("RS256")).kind, "unknown");
  assert.equal(keySet.find("rsa", algorithm("ES256")).kind, "unfit");
  assert.equal(keySet.find("rsa", algorithm("PS256")).kind, "unfit");
});

test("serves a token without key ID only when one key fits", () => {
  const keySet = KeySet.parse(jwksDocument(rsa, p256));
  assert.equal(keySet.find(undefined, algorithm("ES256")).kind, "found");
  assert.equal(keySet.find(undefined, algorithm("ES384")).kind, "unknown");
  const two = KeySet.parse(jwksDocument(rsa, makeTokenKey("RS256", "second")));
  assert.equal(two.find(undefined, algorithm("RS256")).kind, "ambiguous");
});

test("tells keys that share an ID apart by their kind, and else gives up", () => {
  const shared = KeySet.parse(jwksDocument(rsa, makeTokenKey("ES256", "rsa")));
  const found = shared.find("rsa", algorithm("ES256"));
  assert.ok(found.kind === "found" && found.key.key.asymmetricKeyType === "ec");
  const twins = KeySet.parse(jwksDocument(rsa, makeTokenKey("RS256", "rsa")));
  assert.equal(twins.find("rsa", algorithm("RS256")).kind, "ambiguous");
});

const BROKEN: readonly (readonly [string, JwksErrorCode, string])[] = [
  ["nothing", "jwks-malformed", ""],
  ["HTML", "jwks-malformed", "<html>"],
  ["half a document", "jwks-malformed", jwksDocument(rsa).slice(0, -3)],
  ["null", "jwks-malformed", "null"],
  ["a list of keys", "jwks-malformed", JSON.stringify([rsa.jwk])],
  ["a single key", "jwks-malformed", JSON.stringify(rsa.jwk)],
  ["keys that are no list", "jwks-malformed", '{"keys":{}}'],
  ["no key", "jwks-empty", '{"keys":[]}'],
  ["no usable key", "jwks-empty", '{"keys":[{"kty":"oct","k":"AAAA"},1]}'],
];

for (const [what, code, document] of BROKEN) {
  test(`refuses ${what} as a key set`, () => {
    assert.throws(
      () => KeySet.parse(document),
      (error) => error instanceof JwksError && error.code === code,
    );
  });
}

test("does not quote what it cannot read", () => {
  assert.throws(
    () => KeySet.parse("-----BEGIN PRIVATE KEY-----"),
    (error) => error instanceof JwksError && !error.message.includes("PRIVATE"),
  );
});

test("throws nothing but JwksError, whatever JSON it is given", () => {
  const members = fc.constantFrom("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y", "key_ops");
  const changes = fc.dictionary(members, fc.oneof(fc.jsonValue(), fc.base64String()));
  const base = fc.constantFrom(rsa.jwk, p256.jwk, {});
  fc.assert(
    fc.property(base, changes, (jwk, changed) => {
      try {
        KeySet.parse(JSON.stringify({ keys: [{ ...jwk, ...changed }] }));
      } catch (error) {
        assert.ok(error instanceof JwksError);
        assert.equal(error.code, "jwks-empty");
      }
    }),
    { numRuns: 500 },
  );
});
