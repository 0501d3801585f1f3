/**
 * JWT-SVIDs: compact JWS under ES256 (JWT-SVID 2, 3), for a caller that has been authenticated. No JWT-SVID outlives what
 * its caller proved, whatever life was asked for: unlike a certificate it proves no key, so whoever has it is its owner.
 * Each is read back and verified with the key that peers have before it leaves.
 */

import { hash, sign, type KeyObject } from "node:crypto";
import type { SpiffeId } from "../spiffe/id.ts";
import type { TrustBundle } from "../spiffe/trust-bundle.ts";
import { checkJwtSvid, checkSigningInput, type JwtSvidIntent } from "./jwt-svid-check.ts";
import { JwtSvidError } from "./jwt-svid-error.ts";

export interface JwtSvidOrder {
  /** The caller's. */
  readonly id: SpiffeId;
  /** Untrusted. */
  readonly audiences: readonly string[];
  /** 0 or less asks for the default; any int64 may come. */
  readonly requestedTtlSeconds: bigint;
  /** When what authenticated the caller stops to count. */
  readonly evidenceExpiresAtMs: number;
  /** The `jti`: unique, and no secret. */
  readonly tokenId: string;
}

/** What signs, and the bundle that it is verified against. */
export interface JwtSvidAuthority {
  readonly keyId: string;
  /** EC, P-256. */
  readonly privateKey: KeyObject;
  readonly bundle: TrustBundle;
}

export interface JwtSvid {
  /** JWS, compact. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** What is to be signed, to the octet. */
export interface PreparedJwtSvid {
  /** RFC 7515 5.1: header and claims, as they are signed. */
  readonly signingInput: string;
  /** SHA-256 of `signingInput`. */
  readonly digest: Uint8Array;
  readonly intent: JwtSvidIntent;
}

/**
 * Nothing is signed here.
 *
 * @param ttlSeconds what is given where nothing is asked for, and the most that may be asked for
 * @throws JwtSvidError
 */
export function prepareJwtSvid(
  order: JwtSvidOrder,
  { keyId, bundle }: Pick<JwtSvidAuthority, "keyId" | "bundle">,
  ttlSeconds: number,
  nowMs: number,
): PreparedJwtSvid {
  assertAudiences(order.audiences);
  const iat = Math.floor(nowMs / 1_000);
  const endsAt = iat + resolveTtl(order.requestedTtlSeconds, ttlSeconds);
  const exp = Math.min(endsAt, Math.floor(order.evidenceExpiresAtMs / 1_000));
  // Written so that a time that is NaN refuses.
  if (!(exp * 1_000 > nowMs)) {
    throw new JwtSvidError("jwt-svid-evidence-expired", "what authenticates the caller ends now");
  }
  const header = { alg: "ES256", kid: keyId, typ: "JWT" };
  const claims = {
    sub: order.id.toString(),
    aud: [...order.audiences],
    exp,
    iat,
    jti: order.tokenId,
  };
  const signingInput = `${encodeSegment(header)}.${encodeSegment(claims)}`;
  const intent = { ...order, keyId, exp, iat };
  checkSigningInput(signingInput, intent, bundle);
  return { signingInput, digest: hash("sha256", signingInput, "buffer"), intent };
}

/** @throws JwtSvidError `jwt-svid-check-failed`, also by an authority that is not the one it was prepared for */
export function signPreparedJwtSvid(
  { signingInput, intent }: PreparedJwtSvid,
  { keyId, privateKey, bundle }: JwtSvidAuthority,
): JwtSvid {
  const own = { ...intent, keyId };
  checkSigningInput(signingInput, own, bundle);
  // RFC 7518 3.4: R and S side by side, and no DER.
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
  const signature = sign("sha256", Buffer.from(signingInput), key).toString("base64url");
  const token = `${signingInput}.${signature}`;
  checkJwtSvid(token, own, bundle);
  return { token, expiresAtMs: intent.exp * 1_000 };
}

/**
 * Both halves at once.
 *
 * @throws JwtSvidError
 */
export function signJwtSvid(
  order: JwtSvidOrder,
  authority: JwtSvidAuthority,
  ttlSeconds: number,
  nowMs: number,
): JwtSvid {
  return signPreparedJwtSvid(prepareJwtSvid(order, authority, ttlSeconds, nowMs), authority);
}

const audiencesMax = 64;
/** Printable ASCII: validators compare octets, and nobody can tell look-alikes apart. */
const audiencePattern = /^[\x20-\x7e]{1,1024}$/;

function assertAudiences(audiences: readonly string[]): void {
  const count = audiences.length;
  if (count < 1 || count > audiencesMax) {
    const message = `expected 1 to ${audiencesMax} audiences, got ${count}`;
    throw new JwtSvidError("jwt-svid-audience", message);
  }
  const unfit = audiences.findIndex((audience) => !audiencePattern.test(audience));
  if (unfit === -1) return;
  throw new JwtSvidError(
    "jwt-svid-audience",
    `expected audience ${unfit + 1} to be 1 to 1,024 printable ASCII characters`,
  );
}

function resolveTtl(requestedSeconds: bigint, ttlSeconds: number): number {
  if (requestedSeconds <= 0n) return ttlSeconds;
  if (requestedSeconds <= BigInt(ttlSeconds)) return Number(requestedSeconds);
  throw new JwtSvidError(
    "jwt-svid-ttl-too-long",
    `expected a life of ${ttlSeconds} s at most, got ${requestedSeconds} s`,
  );
}

function encodeSegment(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
