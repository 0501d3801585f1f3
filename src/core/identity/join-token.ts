/**
 * Join tokens: a secret that an operator carries to a machine, which gets it one certificate, once.
 * Here is what a token looks like, what may be asked for with one, and who its bearer is. That it
 * counts once only is for the store.
 */

import { hash } from "node:crypto";
import { PortcullisError } from "../error.ts";
import { SpiffeId, SpiffeIdError, type TrustDomain } from "../spiffe/id.ts";
import { assertAssignable, IdentityPathError } from "./assignable-path.ts";
import { AuthnError } from "./authn-error.ts";
import type { Caller } from "./caller.ts";
import { enrolmentEndMs } from "./enrolment.ts";

export type JoinTokenErrorCode = "join-token-identity" | "join-token-ttl" | "join-tokens-full";

/** A join token that cannot be made. */
export class JoinTokenError extends PortcullisError<JoinTokenErrorCode> {
  override name = "JoinTokenError";
}

/** What the store keeps of a token. The secret has 256 bits, so its digest gives nothing away. */
export interface JoinGrant {
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  readonly id: SpiffeId;
  readonly expiresAtMs: number;
}

export const JOIN_TOKEN_RANDOM_BYTES = 32;

/** @param random `JOIN_TOKEN_RANDOM_BYTES` of them */
export function encodeJoinToken(random: Uint8Array): string {
  return PREFIX + Buffer.from(random).toString("base64url");
}

/** Tells it from every other bearer token: no JSON object in base64url begins like this. */
export function isJoinToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

export function joinTokenDigest(token: string): Uint8Array {
  return hash("sha256", token, "buffer");
}

/** Names a token in the log, where neither it nor its digest may be. */
export function joinTokenId(digest: Uint8Array): string {
  return Buffer.from(digest).toString("hex", 0, 8);
}

/** @throws JoinTokenError `join-token-identity` */
export function parseJoinIdentity(text: string, trustDomain: TrustDomain): SpiffeId {
  try {
    const id = SpiffeId.parse(text);
    if (!id.trustDomain.equals(trustDomain)) {
      const message = `expected an ID in trust domain ${trustDomain.name}, got ${id.toString()}`;
      throw new JoinTokenError("join-token-identity", message);
    }
    if (id.path === "") {
      const message = `expected an ID with a path, got ${id.toString()}`;
      throw new JoinTokenError("join-token-identity", message);
    }
    assertAssignable(id.path.slice(1).split("/"));
    return id;
  } catch (cause) {
    if (!(cause instanceof SpiffeIdError || cause instanceof IdentityPathError)) throw cause;
    throw new JoinTokenError("join-token-identity", cause.message, { cause });
  }
}

/**
 * @param requestedSeconds 0 asks for the default; any int64 may come
 * @throws JoinTokenError `join-token-ttl`
 */
export function decideJoinTtlSeconds(requestedSeconds: bigint): number {
  if (requestedSeconds === 0n) return TTL_DEFAULT_SECONDS;
  if (requestedSeconds > 0n && requestedSeconds <= TTL_MAX_SECONDS) return Number(requestedSeconds);
  const expected = `expected a life of 1 s to 24 h (${TTL_MAX_SECONDS} s)`;
  throw new JoinTokenError("join-token-ttl", `${expected}, got ${requestedSeconds} s`, {
    hint: "whoever finds a token before it is used is that machine: keep its life short",
  });
}

/**
 * @param grant undefined for a token that was never made or was used before: one answer for both
 * @throws AuthnError `join-token-unknown`, `join-token-expired`
 */
export function callerOfJoinToken(grant: JoinGrant | undefined, nowMs: number): Caller {
  if (grant === undefined) {
    throw new AuthnError("join-token-unknown", "no such join token, or it was used before", {
      hint: "a token gets one certificate: make another one with portcullis join-token create",
    });
  }
  const tokenId = joinTokenId(grant.digest);
  // Written so that a clock that reads NaN refuses.
  if (!(nowMs < grant.expiresAtMs)) {
    const expired = new Date(grant.expiresAtMs).toISOString();
    throw new AuthnError("join-token-expired", `join token ${tokenId} expired at ${expired}`);
  }
  // What it gets ends at a whole second, as X.509 has them.
  const enrolledAtMs = Math.floor(nowMs / 1000) * 1000;
  return Object.freeze({
    id: grant.id,
    expiresAtMs: enrolmentEndMs(enrolledAtMs),
    certificateNotAfterMs: enrolmentEndMs(enrolledAtMs),
    evidence: Object.freeze({ method: "join-token", joinTokenId: tokenId, enrolledAtMs }),
  });
}

const PREFIX = "portcullis-join-";
const TTL_DEFAULT_SECONDS = 600;
const TTL_MAX_SECONDS = 86_400;
