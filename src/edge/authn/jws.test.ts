import assert from "node:assert/strict";
import { createHmac, sign } from "node:crypto";
import { test } from "node:test";
import type { TokenKey } from "../../../test/support/tokens.ts";
import {
  encodeSegment,
  makeTokenKey,
  makeTokenKeys,
  signToken,
} from "../../../test/support/tokens.ts";
import type { AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { findJwsAlgorithm } from "./jws-algorithm.ts";
import { parseJws, TOKEN_CHARS_MAX, verifyJws } from "./jws.ts";
import { parseJwk } from "./verification-key.ts";

const rsa = makeTokenKey("RS256", "rsa");
const p256 = makeTokenKey("ES256", "p256");

function verifyWith(key: TokenKey, token: string): void {
  const parsed = parseJwk(key.jwk);
  assert.ok(typeof parsed === "object");
  verifyJws(parseJws(token), parsed);
}

function assertRefused(code: AuthnErrorCode, verdict: () => unknown): void {
  assert.throws(verdict, (error) => {
    assert.ok(error instanceof AuthnError, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

const keys = makeTokenKeys();

for (const key of keys) {
  test(`verifies ${key.algorithm}, and refuses it when a bit of a segment is turned`, () => {
    const payload = '{"sub":"a"}';
    const token = signToken(key, { payload });
    assert.equal(parseJws(token).payload.toString(), payload);
    verifyWith(key, token);
    const signatureStart = token.lastIndexOf(".") + 1;
    for (const index of [token.indexOf(".") + 3, signatureStart, signatureStart + 40]) {
      const turned = token[index] === "A" ? "B" : "A";
      const forged = token.slice(0, index) + turned + token.slice(index + 1);
      assertRefused("token-signature", () => verifyWith(key, forged));
    }
  });
}

test("refuses each algorithm with a key of each other", () => {
  for (const key of keys) {
    const token = signToken(key);
    for (const other of keys) {
      if (other !== key) assertRefused("token-algorithm", () => verifyWith(other, token));
    }
  }
});

test("does not take the header's word for the algorithm of the key", () => {
  const asPss = signToken(rsa, { header: { alg: "PS256", kid: "rsa" } });
  assertRefused("token-algorithm", () => verifyWith(rsa, asPss));
  const { alg: _, ...anyRsa } = rsa.jwk;
  assertRefused("token-signature", () => verifyWith({ ...rsa, jwk: anyRsa }, asPss));
});

test("refuses a token signed with the public key as the secret of an HMAC", () => {
  const input = `${encodeSegment({ alg: "HS256", kid: "rsa" })}.${encodeSegment({})}`;
  for (const secret of [rsa.publicKey.export({ format: "pem", type: "spki" }), ""]) {
    const signature = createHmac("sha256", secret).update(input).digest("base64url");
    assertRefused("token-algorithm", () => verifyWith(rsa, `${input}.${signature}`));
  }
});

test("refuses an ECDSA signature in DER, of a wrong length, or of zeros", () => {
  const token = signToken(p256);
  const signingInput = token.slice(0, token.lastIndexOf("."));
  const der = sign("sha256", Buffer.from(signingInput), p256.privateKey);
  for (const signature of [der, Buffer.alloc(63), Buffer.alloc(64), Buffer.alloc(65)]) {
    const forged = `${signingInput}.${signature.toString("base64url")}`;
    assertRefused("token-signature", () => verifyWith(p256, forged));
  }
});

const NOT_ALGORITHMS = ["none", "None", "", "HS256", "HS512", "rs256", "RS1", "EdDSA", "ES256K"];

for (const alg of [...NOT_ALGORITHMS, "constructor", "__proto__", undefined, null, 1, ["RS256"]]) {
  test(`refuses the algorithm ${JSON.stringify(alg)}`, () => {
    const token = signToken(rsa, { header: { alg, kid: "rsa" } });
    assertRefused("token-algorithm", () => parseJws(token));
  });
}

const { alg, kid } = { alg: "RS256", kid: "rsa" };
const HEADERS: readonly (readonly [string, unknown])[] = [
  ["a critical extension", { alg, kid, crit: ["b64"], b64: false }],
  ["an empty list of critical extensions", { alg, kid, crit: [] }],
  ["another kind of token", { alg, kid, typ: "logout+jwt" }],
  ["a typ that is not a string", { alg, kid, typ: 1 }],
  ["a number as key ID", { alg, kid: 1 }],
  ["an empty key ID", { alg, kid: "" }],
  ["a key ID without end", { alg, kid: "k".repeat(257) }],
  ["a list", [alg, kid]],
  ["null", null],
  ["a string", '"RS256"'],
  ["no JSON", "{alg:RS256}"],
  ["JSON with something after it", '{"alg":"RS256"}}'],
  ["JSON after a byte order mark", '\ufeff{"alg":"RS256"}'],
];

for (const [what, header] of HEADERS) {
  test(`refuses a header with ${what}`, () => {
    assertRefused("token-malformed", () => parseJws(signToken(rsa, { header })));
  });
}

test("refuses a header that is not UTF-8", () => {
  const header = Buffer.from('{"alg":"RS256","x":"\xff"}', "latin1").toString("base64url");
  assertRefused("token-malformed", () => parseJws(`${header}.e30.AAAA`));
});

test("accepts the header types that mean a JWT", () => {
  for (const typ of ["JWT", "jwt"]) {
    verifyWith(rsa, signToken(rsa, { header: { alg: "RS256", kid: "rsa", typ } }));
  }
});

test("ignores a key that travels in the header", () => {
  const stranger = makeTokenKey("RS256", "rsa");
  const header = { alg: "RS256", kid: "rsa", jwk: stranger.jwk, jku: "https://example.com/" };
  assertRefused("token-signature", () => verifyWith(rsa, signToken(stranger, { header })));
});

const good = signToken(rsa);
const [head = "", body = "", signature = ""] = good.split(".");
const SPELLINGS: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["one segment", head],
  ["two segments", `${head}.${body}`],
  ["four segments", `${good}.${signature}`],
  ["many dots", ".".repeat(TOKEN_CHARS_MAX)],
  ["an empty header", `.${body}.${signature}`],
  ["an empty payload", `${head}..${signature}`],
  ["an empty signature", `${head}.${body}.`],
  ["padding", `${good}==`],
  ["white space in front", ` ${good}`],
  ["white space behind", `${good} `],
  ["a line break behind", `${good}\n`],
  ["a line break inside", `${head}.${body.slice(0, 4)}\n${body.slice(4)}.${signature}`],
  ["the alphabet of base64", `${head}.${body}.${signature.slice(0, -2)}+/`],
  ["trailing bits", `${head}.${body}.${signature.slice(0, -1)}${nextCharacter(signature)}`],
  ["a character too many", `${good}AAA`],
  ["another alphabet", `${head}.${body}.${signature.slice(0, -1)}\u0430`],
  ["a lone surrogate", `${head}.${body}.${signature.slice(0, -1)}\ud800`],
  ["a token too long", `${head}.${"A".repeat(TOKEN_CHARS_MAX)}.${signature}`],
];

/** The last character of a 256-byte signature carries 4 bits that count and 2 that must be zero. */
function nextCharacter(text: string): string {
  return String.fromCharCode((text.at(-1) ?? "").charCodeAt(0) + 1);
}

for (const [what, token] of SPELLINGS) {
  test(`refuses a token with ${what}`, () => {
    assertRefused("token-malformed", () => verifyWith(rsa, token));
  });
}

test("shows neither token nor claims in a message", () => {
  const secret = signToken(rsa, { header: "not-json-but-secret" });
  assert.throws(
    () => parseJws(secret),
    ({ message }: AuthnError) => !message.includes("secret"),
  );
});

test("knows no algorithm by an inherited name", () => {
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    assert.equal(findJwsAlgorithm(name), undefined);
  }
});
