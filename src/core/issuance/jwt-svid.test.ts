import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, hash, type KeyObject } from "node:crypto";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import { decodeProtectedHeader, errors, jwtVerify } from "jose";

import { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { trustBundle } from "../spiffe/trust-bundle.ts";
import { JwtSvidError, type JwtSvidErrorCode } from "./jwt-svid-error.ts";
import {
  prepareJwtSvid,
  signJwtSvid,
  signPreparedJwtSvid,
  type JwtSvidAuthority,
  type JwtSvidOrder,
} from "./jwt-svid.ts";

const NOW_MS = 1_795_521_600_250;
const NOW = Math.floor(NOW_MS / 1_000);
const TTL_SECONDS = 300;
const DOMAIN = TrustDomain.parse("cluster.local");

const order: JwtSvidOrder = {
  id: SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart"),
  audiences: ["db"],
  requestedTtlSeconds: 0n,
  evidenceExpiresAtMs: NOW_MS + 3_600_000,
  tokenId: "4f2c",
};

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const authority = authorityWith(privateKey, publicKey);

function authorityWith(signing: KeyObject, published: KeyObject): JwtSvidAuthority {
  const spki = new Uint8Array(published.export({ format: "der", type: "spki" }));
  const bundle = trustBundle(DOMAIN, 1n, [Uint8Array.of(0)], [{ keyId: "key-1", spki }]);
  return { keyId: "key-1", privateKey: signing, bundle };
}

function mint(changes: Partial<JwtSvidOrder> = {}, by: JwtSvidAuthority = authority) {
  return signJwtSvid({ ...order, ...changes }, by, TTL_SECONDS, NOW_MS);
}

function claimsOf(token: string): Record<string, unknown> {
  const [, claims = ""] = token.split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, unknown>;
}

const hasCode =
  (code: JwtSvidErrorCode) =>
  (error: unknown): boolean =>
    error instanceof JwtSvidError && error.code === code;

describe("a JWT-SVID", () => {
  it("JW-1, JW-2, JW-3: is compact, under ES256, with alg, kid and typ alone in its header", () => {
    const { token } = mint();
    assert.match(token, /^[\w-]+\.[\w-]+\.[\w-]{86}$/);
    assert.deepEqual(decodeProtectedHeader(token), { alg: "ES256", kid: "key-1", typ: "JWT" });
  });

  it("JW-4, JW-6: says sub, aud, exp, iat, jti, and nothing else", () => {
    const { token, expiresAtMs } = mint();
    assert.deepEqual(claimsOf(token), {
      sub: "spiffe://cluster.local/ns/shop/sa/cart",
      aud: ["db"],
      exp: NOW + TTL_SECONDS,
      iat: NOW,
      jti: "4f2c",
    });
    assert.equal(expiresAtMs, (NOW + TTL_SECONDS) * 1_000);
  });

  it("JW-5: verifies for jose with the key of the bundle, for its audiences alone, until it ends", async () => {
    const [key] = authority.bundle.jwtKeys;
    const published = createPublicKey({
      key: Buffer.from(key?.spki ?? []),
      format: "der",
      type: "spki",
    });
    const audiences = ["db", 'a "quoted" one', "spiffe://other.example/x"];
    const { token, expiresAtMs } = mint({ audiences });
    const verify = (audience: string, atMs: number) =>
      jwtVerify(token, published, { audience, currentDate: new Date(atMs), typ: "JWT" });
    for (const audience of audiences) {
      const { payload } = await verify(audience, NOW_MS);
      assert.equal(payload.sub, order.id.toString());
    }
    await assert.rejects(verify("d", NOW_MS), errors.JWTClaimValidationFailed);
    await verify("db", expiresAtMs - 1_000);
    await assert.rejects(verify("db", expiresAtMs), errors.JWTExpired);
  });

  it("lives as long as was asked, and never longer than the default or the caller's evidence", () => {
    const second = fc.integer({ min: -10, max: TTL_SECONDS });
    const left = fc.integer({ min: 1_000, max: 2_000_000 });
    fc.assert(
      fc.property(second, left, (requested, leftMs) => {
        const evidenceExpiresAtMs = NOW_MS + leftMs;
        const { token } = mint({ requestedTtlSeconds: BigInt(requested), evidenceExpiresAtMs });
        const asked = requested <= 0 ? TTL_SECONDS : requested;
        const { exp } = claimsOf(token);
        assert.equal(exp, Math.min(NOW + asked, Math.floor(evidenceExpiresAtMs / 1_000)));
        assert.ok(exp * 1_000 <= evidenceExpiresAtMs);
      }),
    );
  });

  const refusals: readonly (readonly [string, JwtSvidErrorCode, Partial<JwtSvidOrder>])[] = [
    ["no audience", "jwt-svid-audience", { audiences: [] }],
    ["65 audiences", "jwt-svid-audience", { audiences: Array<string>(65).fill("db") }],
    ["an empty audience", "jwt-svid-audience", { audiences: ["db", ""] }],
    ["an audience of 1,025 characters", "jwt-svid-audience", { audiences: ["a".repeat(1_025)] }],
    ["an audience with a line break", "jwt-svid-audience", { audiences: ["db\n"] }],
    ["an audience beyond ASCII", "jwt-svid-audience", { audiences: ["d\u0431"] }],
    ["a second too long", "jwt-svid-ttl-too-long", { requestedTtlSeconds: 301n }],
    ["the largest int64", "jwt-svid-ttl-too-long", { requestedTtlSeconds: 2n ** 63n - 1n }],
    ["an end that is now", "jwt-svid-evidence-expired", { evidenceExpiresAtMs: NOW_MS }],
    ["an end within the second", "jwt-svid-evidence-expired", { evidenceExpiresAtMs: NOW_MS + 9 }],
    ["an end that is NaN", "jwt-svid-evidence-expired", { evidenceExpiresAtMs: Number.NaN }],
    [
      "a caller of another trust domain",
      "jwt-svid-check-failed",
      { id: SpiffeId.parse("spiffe://other.example/x") },
    ],
    [
      "a trust domain's own ID",
      "jwt-svid-check-failed",
      { id: SpiffeId.parse("spiffe://cluster.local") },
    ],
  ];
  for (const [title, code, changes] of refusals) {
    it(`is not made for ${title}`, () => {
      assert.throws(() => mint(changes), hasCode(code));
    });
  }

  it("is made with 64 audiences of 1,024 characters, and for the least int64", () => {
    const audiences = Array.from({ length: 64 }, (_, index) => String(index).padEnd(1_024, "~"));
    assert.deepEqual(claimsOf(mint({ audiences }).token)["aud"], audiences);
    mint({ requestedTtlSeconds: -(2n ** 63n) });
  });

  it("does not leave under a key that is not the published one, or that is not published", () => {
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const wrongCurve = generateKeyPairSync("ec", { namedCurve: "P-384" });
    for (const by of [
      authorityWith(other.privateKey, publicKey),
      authorityWith(wrongCurve.privateKey, wrongCurve.publicKey),
      { ...authority, keyId: "key-2" },
      { ...authority, bundle: trustBundle(DOMAIN, 1n, [Uint8Array.of(0)]) },
    ]) {
      assert.throws(
        () => mint({}, by),
        (error) =>
          hasCode("jwt-svid-check-failed")(error) && /signature-verifies/.test(String(error)),
      );
    }
  });
});

describe("a JWT-SVID in two halves", () => {
  const prepared = prepareJwtSvid(order, authority, TTL_SECONDS, NOW_MS);

  it("is prepared without a key, and what is signed is what was prepared", () => {
    const { signingInput, digest } = prepared;
    assert.deepEqual(digest, hash("sha256", signingInput, "buffer"));
    const { token, expiresAtMs } = signPreparedJwtSvid(prepared, authority);
    assert.ok(token.startsWith(`${signingInput}.`));
    assert.equal(expiresAtMs, (NOW + TTL_SECONDS) * 1_000);
  });

  it("is not signed by an authority that has taken the other's place", () => {
    const other = { ...authority, keyId: "key-2" };
    assert.throws(() => signPreparedJwtSvid(prepared, other), hasCode("jwt-svid-check-failed"));
  });

  it("is refused before it is signed when it is not of this trust domain", () => {
    const foreign = { ...order, id: SpiffeId.parse("spiffe://other.example/x") };
    assert.throws(
      () => prepareJwtSvid(foreign, authority, TTL_SECONDS, NOW_MS),
      hasCode("jwt-svid-check-failed"),
    );
  });
});
