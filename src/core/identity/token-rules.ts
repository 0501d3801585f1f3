/**
 * The checks that a token must pass whoever made it (RFC 7519 4.1): issuer, audience, time, length
 * of life. Each throws the first thing that is wrong, and none of them knows of identities.
 */

import { AuthnError, quoted } from "./authn-error.ts";
import { unfit, type RegisteredClaims, type TokenValidity } from "./registered-claims.ts";

export interface TimeRules {
  /** How far the issuer's clock may run ahead of ours. It never prolongs a token. */
  readonly clockSkewMs: number;
}

/** @throws AuthnError `token-issuer` */
export function assertIssuer(issuer: string, expected: string): void {
  if (issuer === expected) return;
  const message = `expected issuer ${quoted(expected)}, got ${quoted(issuer)}`;
  throw new AuthnError("token-issuer", message);
}

/**
 * @param accepted the token must name at least one of these
 * @throws AuthnError `token-audience`
 */
export function assertAudience(audiences: readonly string[], accepted: readonly string[]): void {
  if (audiences.some((audience) => accepted.includes(audience))) return;
  const want = accepted.map(quoted).join(" or ");
  const got = audiences.slice(0, AUDIENCES_SHOWN_MAX).map(quoted).join(", ");
  throw new AuthnError("token-audience", `expected audience ${want}, got ${got || "none"}`, {
    hint: "set the audience that the token is asked for with: of a pod, in its projected volume",
  });
}

/**
 * RFC 7519 4.1.4 and 4.1.5 allow some leeway to both. Here a token is over at the very millisecond
 * of `exp`: what it would buy outlives it by a day. Only a token from a clock that runs ahead is
 * helped.
 *
 * @throws AuthnError `token-expired`, `token-not-yet-valid`
 */
export function assertTokenTime(validity: TokenValidity, rules: TimeRules, nowMs: number): void {
  const { notBeforeMs, expiresAtMs } = validity;
  // Written so that a clock that reads NaN refuses.
  if (!(nowMs < expiresAtMs)) {
    throw new AuthnError("token-expired", `expired at ${iso(expiresAtMs)}, now is ${iso(nowMs)}`);
  }
  if (notBeforeMs !== undefined && !(notBeforeMs <= nowMs + rules.clockSkewMs)) {
    const now = `now is ${iso(nowMs)}`;
    throw new AuthnError("token-not-yet-valid", `not valid before ${iso(notBeforeMs)}, ${now}`, {
      hint: "compare the clocks of this server and of the token's issuer",
    });
  }
}

/**
 * Whoever makes tokens elsewhere can make one that never ends.
 *
 * @returns when it was issued
 * @throws AuthnError `token-claims` without `iat`, `token-lifetime`
 */
export function assertTokenLife(
  { issuedAtMs, validity }: Pick<RegisteredClaims, "issuedAtMs" | "validity">,
  maxMs: number,
): number {
  if (issuedAtMs === undefined) throw unfit("iat", "a time", undefined);
  const lifeMs = validity.expiresAtMs - issuedAtMs;
  if (lifeMs <= maxMs) return issuedAtMs;
  const message = `expected a token for ${maxMs / 1000} s at most, got ${lifeMs / 1000} s`;
  throw new AuthnError("token-lifetime", message);
}

const AUDIENCES_SHOWN_MAX = 4;

function iso(timeMs: number): string {
  return Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : String(timeMs);
}
