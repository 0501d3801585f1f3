/**
 * The claims of a JWT-SVID (JWT-SVID 3), from untyped JSON to a frozen value, and what a validator
 * must find in them. It must never be given claims whose signature was not verified.
 */

import { SpiffeId, SpiffeIdError, type TrustDomain } from "../spiffe/id.ts";
import { AuthnError, quoted } from "./authn-error.ts";
import type { JsonObject } from "./json-object.ts";
import { asString, parseRegisteredClaims, type TokenValidity } from "./registered-claims.ts";
import { assertAudience, assertTokenTime } from "./token-rules.ts";

export interface JwtSvidClaims {
  readonly id: SpiffeId;
  readonly audiences: readonly string[];
  readonly validity: TokenValidity;
}

export interface JwtSvidRules {
  /** Whose keys have verified it: nobody may speak for another trust domain. */
  readonly trustDomain: TrustDomain;
  /** The validator's own name, which the token must be meant for. */
  readonly audience: string;
}

/** How far the clock of the issuer may run ahead of ours. It never prolongs a token. */
const CLOCK_SKEW_MS = 10_000;

/** @throws AuthnError */
export function parseJwtSvidClaims(
  claims: JsonObject,
  { trustDomain, audience }: JwtSvidRules,
  nowMs: number,
): JwtSvidClaims {
  const { audiences, validity } = parseRegisteredClaims(claims);
  const id = parseSubject(asString(claims["sub"], "sub"));
  if (!id.trustDomain.equals(trustDomain)) {
    const got = quoted(id.trustDomain.name);
    const message = `expected a subject of ${quoted(trustDomain.name)}, got one of ${got}`;
    throw new AuthnError("token-subject", message);
  }
  assertAudience(audiences, [audience]);
  assertTokenTime(validity, { clockSkewMs: CLOCK_SKEW_MS }, nowMs);
  return Object.freeze({ id, audiences, validity });
}

function parseSubject(sub: string): SpiffeId {
  try {
    const id = SpiffeId.parse(sub);
    // The trust domain's own ID is of its authorities; no workload speaks with it.
    if (id.path !== "") return id;
  } catch (cause) {
    if (!(cause instanceof SpiffeIdError)) throw cause;
  }
  throw new AuthnError(
    "token-subject",
    `sub: expected the SPIFFE ID of a workload, got ${quoted(sub)}`,
  );
}
