import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, it } from "node:test";

import { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { trustBundle } from "../spiffe/trust-bundle.ts";
import { checkJwtSvid, checkSigningInput, type JwtSvidIntent } from "./jwt-svid-check.ts";
import { JwtSvidError } from "./jwt-svid-error.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
const domain = TrustDomain.parse("cluster.local");
const bundle = trustBundle(domain, 1n, [Uint8Array.of(0)], [{ keyId: "k", spki }]);

const id = SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart");
const intent: JwtSvidIntent = {
  id,
  audiences: ["a", "b"],
  tokenId: "t",
  keyId: "k",
  exp: 2,
  iat: 1,
};
const header = { alg: "ES256", kid: "k", typ: "JWT" };
const claims = { sub: id.toString(), aud: ["a", "b"], exp: 2, iat: 1, jti: "t" };

function token(head: unknown = header, body: unknown = claims): string {
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode(head)}.${encode(body)}`;
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

function derSigned(): string {
  const input = token().split(".").slice(0, 2).join(".");
  return `${input}.${sign("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
}

describe("the check before a JWT-SVID leaves", () => {
  it("lets pass what was meant", () => {
    checkJwtSvid(token(), intent, bundle);
  });

  const faults: readonly (readonly [string, string, string])[] = [
    ["another algorithm's name", "exact-header", token({ ...header, alg: "HS256" })],
    ["another key's ID", "exact-header", token({ ...header, kid: "K" })],
    ["a header more", "exact-header", token({ ...header, jku: "https://a" })],
    ["no typ", "exact-header", token({ alg: "ES256", kid: "k" })],
    [
      "another subject",
      "exact-subject",
      token(header, { ...claims, sub: "spiffe://cluster.local/x" }),
    ],
    ["an audience less", "exact-audience", token(header, { ...claims, aud: ["a"] })],
    ["audiences in another order", "exact-audience", token(header, { ...claims, aud: ["b", "a"] })],
    ["an audience that is a string", "exact-audience", token(header, { ...claims, aud: "ab" })],
    ["another end", "exact-times", token(header, { ...claims, exp: 3 })],
    ["an end that is text", "exact-times", token(header, { ...claims, exp: "2" })],
    ["an issuer", "no-other-claim", token(header, { ...claims, iss: "https://a" })],
    ["another jti", "no-other-claim", token(header, { ...claims, jti: "u" })],
    ["a signature in DER", "signature-verifies", derSigned()],
    ["a signature cut short", "signature-verifies", token().slice(0, -4)],
    ["no signature", "signature-verifies", token().replace(/[^.]+$/, "")],
    ["two segments", "to be read back", token().replace(/\.[^.]+$/, "")],
    ["claims that are a list", "to be read back", token(header, [])],
    ["claims that are no JSON", "to be read back", "e30.e.e30"],
  ];
  for (const [title, check, broken] of faults) {
    const isUnsigned = check !== "signature-verifies" && broken.split(".").length === 3;
    it(`refuses ${title} by "${check}"${isUnsigned ? ", before it is signed, too" : ""}`, () => {
      const signingInput = broken.split(".").slice(0, 2).join(".");
      const early = (): void => checkSigningInput(signingInput, intent, bundle);
      if (isUnsigned) assert.throws(early, { code: "jwt-svid-check-failed" });
      else early();
      assert.throws(
        () => checkJwtSvid(broken, intent, bundle),
        (error) => {
          assert.ok(error instanceof JwtSvidError);
          assert.equal(error.code, "jwt-svid-check-failed");
          assert.ok(error.message.startsWith(`the JWT-SVID fails ${check}`), error.message);
          return true;
        },
      );
    });
  }

  it("refuses what ends before it begins, whatever was meant", () => {
    const body = { ...claims, exp: 1 };
    assert.throws(() => checkJwtSvid(token(header, body), { ...intent, exp: 1 }, bundle), {
      code: "jwt-svid-check-failed",
    });
  });
});
