import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  encodeSegment,
  makeTokenKey,
  makeTokenKeys,
  signToken,
  TEST_NOW_MS,
  type TokenKey,
} from "../../../test/support/tokens.ts";
import { AuthnError, type AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { signJwtSvid } from "../../core/issuance/jwt-svid.ts";
import { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, type JwtKey, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { TOKEN_CHARS_MAX } from "./jws.ts";
import { verifyJwtSvid, type VerifiedJwtSvid } from "./jwt-svid.ts";

const NOW = TEST_NOW_MS / 1_000;
const domain = TrustDomain.parse("cluster.local");
const claims = { sub: "spiffe://cluster.local/ns/shop/sa/cart", aud: ["db"], exp: NOW + 300 };

/** One key for each algorithm, named like it. */
const keys = makeTokenKeys();
const bundle = bundleOf(keys);
const ec = keyNamed("ES256");

function bundleOf(published: readonly TokenKey[], trustDomain = domain): TrustBundle {
  return trustBundle(trustDomain, 1n, [Uint8Array.of(0)], published.map(jwtKey));
}

function jwtKey({ keyId, publicKey }: TokenKey): JwtKey {
  return { keyId, spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })) };
}

function keyNamed(name: string): TokenKey {
  const key = keys.find(({ keyId }) => keyId === name);
  assert.ok(key !== undefined);
  return key;
}

function svid(key: TokenKey, header: object = {}, payload: unknown = claims): string {
  return signToken(key, { header: { alg: key.algorithm, kid: key.keyId, ...header }, payload });
}

function verify(token: string, by = bundle, audience = "db"): VerifiedJwtSvid {
  return verifyJwtSvid(token, by, audience, TEST_NOW_MS);
}

function assertRefused(code: AuthnErrorCode, token: string, by = bundle): void {
  assert.throws(
    () => verify(token, by),
    (error) => {
      assert.ok(error instanceof AuthnError, inspect(error));
      assert.equal(error.code, code, error.message);
      return true;
    },
  );
}

describe("a JWT-SVID", () => {
  for (const key of keys) {
    it(`JW-2: verifies under ${key.algorithm}`, () => {
      const verified = verify(svid(key, { typ: "JWT" }));
      assert.equal(verified.id.toString(), claims.sub);
      assert.deepEqual(verified.audiences, ["db"]);
      assert.equal(verified.validity.expiresAtMs, (NOW + 300) * 1_000);
      assert.ok(Object.isFrozen(verified));
    });
  }

  it("shows all its claims, as they were signed", () => {
    const payload = { ...claims, iss: "https://issuer.example", nested: { "a.b": [1, null] } };
    assert.deepEqual(verify(svid(ec, {}, payload)).claims, payload);
  });

  it("that we mint verifies, for each of its audiences and no other", () => {
    const order = {
      id: SpiffeId.parse(claims.sub),
      audiences: ["db", "spiffe://other.example/x"],
      requestedTtlSeconds: 0n,
      evidenceExpiresAtMs: TEST_NOW_MS + 3_600_000,
      tokenId: "4f2c",
    };
    const authority = { keyId: ec.keyId, privateKey: ec.privateKey, bundle };
    const { token, expiresAtMs } = signJwtSvid(order, authority, 300, TEST_NOW_MS);
    for (const audience of order.audiences) {
      assert.equal(verify(token, bundle, audience).validity.expiresAtMs, expiresAtMs);
    }
    assert.throws(() => verify(token, bundle, "web"), { code: "token-audience" });
  });

  it("is refused when its claims are, and only after its signature was verified", () => {
    const refusals: readonly (readonly [AuthnErrorCode, object])[] = [
      ["token-claims", { sub: undefined }],
      ["token-claims", { aud: undefined }],
      ["token-claims", { exp: undefined }],
      ["token-subject", { sub: "cart" }],
      ["token-subject", { sub: "spiffe://cluster.local" }],
      ["token-subject", { sub: "spiffe://other.example/ns/shop/sa/cart" }],
      ["token-audience", { aud: "web" }],
      ["token-expired", { exp: NOW }],
      ["token-not-yet-valid", { nbf: NOW + 11 }],
      ["token-not-yet-valid", { iat: NOW + 11 }],
    ];
    const stranger = makeTokenKey(ec.algorithm, ec.keyId);
    for (const [code, changes] of refusals) {
      const payload = { ...claims, ...changes };
      assertRefused(code, svid(ec, {}, payload));
      assertRefused("token-signature", svid(stranger, {}, payload));
    }
  });

  for (const payload of ["", "null", "[]", '"sub"', "{", '{"sub":1}}', "\ufeff{}"]) {
    it(`is refused with the payload ${JSON.stringify(payload)}`, () => {
      assertRefused("token-malformed", svid(ec, {}, payload));
    });
  }
});

describe("the header of a JWT-SVID", () => {
  for (const typ of [undefined, "JWT", "JOSE"]) {
    it(`JW-3: may have the typ ${inspect(typ)}`, () => {
      verify(svid(ec, { typ }));
    });
  }

  for (const typ of ["jwt", "jose", "JWS", "at+jwt", "application/jwt", "", null, 1, ["JWT"]]) {
    it(`JW-3: has not the typ ${inspect(typ)}`, () => {
      assertRefused("token-malformed", svid(ec, { typ }));
    });
  }

  for (const kid of [undefined, null, "", 1, ["ES256"]]) {
    it(`has not the kid ${inspect(kid)}`, () => {
      assertRefused("token-malformed", svid(ec, { kid }));
      assertRefused("token-malformed", svid(ec, { kid }), bundleOf([ec]));
    });
  }

  const names = ["none", "None", "", "HS256", "HS384", "HS512", "EdDSA", "ES256K", "es256", "RS1"];
  for (const alg of [...names, "constructor", "__proto__", undefined, null, 1, ["ES256"]]) {
    it(`JW-2: has not the alg ${inspect(alg)}`, () => {
      assertRefused("token-algorithm", svid(ec, { alg }));
    });
  }

  const { jwk } = makeTokenKey("ES256", "ES256");
  const foreign: readonly (readonly [string, unknown])[] = [
    ["crit", ["exp"]],
    ["crit", []],
    ["b64", true],
    ["cty", "JWT"],
    ["enc", "A128GCM"],
    ["jku", "https://example.com/keys"],
    ["jwk", jwk],
    ["x5c", ["MAA="]],
    ["x5t", "AAAA"],
    ["x5t#S256", "AAAA"],
    ["x5u", "https://example.com/certs"],
    ["zip", "DEF"],
    ["Alg", "ES256"],
    ["", ""],
    ["note", null],
  ];
  for (const [name, value] of foreign) {
    it(`JW-1: has not the parameter ${JSON.stringify(name)} of ${JSON.stringify(value)}`, () => {
      assertRefused("token-malformed", svid(ec, { [name]: value }));
    });
  }

  it("JW-1: has not the parameter __proto__", () => {
    const header = '{"alg":"ES256","kid":"ES256","__proto__":{}}';
    assertRefused("token-malformed", signToken(ec, { header, payload: claims }));
  });

  for (const header of ["", "null", "[]", '["ES256"]', "{alg:1}", '{"alg":"ES256"}}']) {
    it(`is not ${JSON.stringify(header)}`, () => {
      assertRefused("token-malformed", signToken(ec, { header, payload: claims }));
    });
  }
});

describe("the key of a JWT-SVID", () => {
  it("is unknown to a bundle without it, and to one without any", () => {
    const token = svid(ec);
    assertRefused("token-key-unknown", token, bundleOf([]));
    assertRefused("token-key-unknown", token, bundleOf(keys.filter((key) => key !== ec)));
    assertRefused("token-key-unknown", svid(ec, { kid: "ES25" }));
  });

  it("counts from the bundle that brings it to the one that takes it away", () => {
    const token = svid(ec);
    const [before, after] = [bundleOf([keyNamed("ES384")]), bundleOf([keyNamed("ES384")])];
    for (let round = 0; round < 2; round++) {
      assertRefused("token-key-unknown", token, before);
      verify(token, bundle);
      assertRefused("token-key-unknown", token, after);
    }
  });

  it("is the one that its kid names, not another that would verify it", () => {
    const other = makeTokenKey("ES256", "other");
    const both = bundleOf([ec, other]);
    verify(svid(other), both);
    assertRefused("token-signature", svid(other, { kid: ec.keyId }), both);
  });

  it("speaks for its own trust domain alone", () => {
    const elsewhere = bundleOf([ec], TrustDomain.parse("other.example"));
    assertRefused("token-subject", svid(ec), elsewhere);
    const sub = "spiffe://other.example/ns/shop/sa/cart";
    verify(svid(ec, {}, { ...claims, sub }), elsewhere);
  });

  it("fits its own type and curve alone", () => {
    for (const { keyId, algorithm } of keys) {
      for (const signer of keys) {
        const token = svid(signer, { kid: keyId });
        const fits = algorithm === signer.algorithm;
        // A key of RSA says nothing of the hash or the padding that it is used with.
        const areBothRsa = !algorithm.startsWith("ES") && !signer.algorithm.startsWith("ES");
        if (fits || areBothRsa) verify(token);
        else assertRefused("token-algorithm", token);
      }
    }
  });

  it("never verifies under an algorithm that the token was not signed with", () => {
    const rsa = keys.filter(({ algorithm }) => !algorithm.startsWith("ES"));
    for (const signer of rsa) {
      for (const { algorithm } of rsa) {
        const token = svid(signer, { alg: algorithm });
        if (algorithm === signer.algorithm) verify(token);
        else assertRefused("token-signature", token);
      }
    }
  });

  it("is not Ed25519, though the signature is right", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const input = `${encodeSegment({ alg: "EdDSA", kid: "ES256" })}.${encodeSegment(claims)}`;
    const signature = sign(null, Buffer.from(input), privateKey).toString("base64url");
    assertRefused("token-algorithm", `${input}.${signature}`);
  });
});

describe("the form of a JWT-SVID", () => {
  const good = svid(ec);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const flattened = JSON.stringify({ protected: header, payload, signature });
  const general = JSON.stringify({ payload, signatures: [{ protected: header, signature }] });
  const forms: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["one segment", header],
    ["two segments", `${header}.${payload}`],
    ["an empty signature", `${header}.${payload}.`],
    ["four segments", `${good}.${signature}`],
    ["the five segments of a JWE", `${good}.${signature}.${signature}`],
    ["the flattened JSON serialization", flattened],
    ["the general JSON serialization", general],
    ["padding", `${good}==`],
    ["a line break behind", `${good}\n`],
    ["white space in front", ` ${good}`],
    ["a scheme in front", `Bearer ${good}`],
    ["no end", `${header}.${"A".repeat(TOKEN_CHARS_MAX)}.${signature}`],
  ];
  for (const [title, token] of forms) {
    it(`JW-1: is not ${title}`, () => {
      assertRefused("token-malformed", token);
    });
  }

  it("is refused when its signature is in DER, of a wrong length, or of zeros", () => {
    const der = sign("sha256", Buffer.from(`${header}.${payload}`), ec.privateKey);
    for (const bytes of [der, Buffer.alloc(63), Buffer.alloc(64), Buffer.alloc(65)]) {
      assertRefused("token-signature", `${header}.${payload}.${bytes.toString("base64url")}`);
    }
  });

  it("shows neither claims nor signature in an error", () => {
    const stranger = makeTokenKey(ec.algorithm, ec.keyId);
    const secret = svid(stranger, {}, { ...claims, note: "hush-hush" });
    for (const token of [secret, `${secret}!`, svid(ec, {}, '{"hush-hush"')]) {
      assert.throws(
        () => verify(token),
        (error) => {
          const text = inspect(error);
          return !text.includes("hush") && !text.includes(token.slice(-20));
        },
      );
    }
  });
});
