/**
 * The caller behind a token of an issuer outside of Kubernetes (OpenID Connect Core 2): verified
 * claims and the operator's rules for this one issuer in, the caller out. What `sub` looks like
 * means nothing: such a token is never taken for a service account's.
 */

import type { TrustDomain } from "../spiffe/id.ts";
import { printable } from "./authn-error.ts";
import type { AcceptedToken } from "./caller.ts";
import { claimAt, decideClaimRule, type ClaimRule } from "./claim-rule.ts";
import type { JsonObject } from "./json-object.ts";
import { expandPathTemplate } from "./path-template.ts";
import { asString, parseRegisteredClaims } from "./registered-claims.ts";
import {
  assertAudience,
  assertIssuer,
  assertTokenLife,
  assertTokenTime,
  type TimeRules,
} from "./token-rules.ts";

export interface OidcRules extends TimeRules {
  readonly issuer: string;
  /** The token must name at least one of these. */
  readonly audiences: readonly string[];
  readonly trustDomain: TrustDomain;
  readonly rules: readonly ClaimRule[];
}

/** @throws AuthnError with the first rule that the claims break */
export function acceptOidcClaims(
  claims: JsonObject,
  rules: OidcRules,
  nowMs: number,
): AcceptedToken {
  const issuer = asString(claims["iss"], "iss");
  assertIssuer(issuer, rules.issuer);
  const registered = parseRegisteredClaims(claims);
  const { validity, tokenId } = registered;
  assertAudience(registered.audiences, rules.audiences);
  assertTokenTime(validity, rules, nowMs);
  assertTokenLife(registered, LIFE_MAX_MS);
  const subject = printable(asString(claims["sub"], "sub"), SUBJECT_CHARS_MAX);
  const { spiffeId } = decideClaimRule(rules.rules, claims);
  const caller = Object.freeze({
    id: expandPathTemplate(spiffeId, rules.trustDomain, (name) => claimAt(claims, name)),
    expiresAtMs: validity.expiresAtMs,
    evidence: Object.freeze({ method: "oidc", issuer, subject, tokenId, rule: spiffeId.text }),
  });
  return { caller, validity };
}

/** Those of CI systems live for minutes, those of cloud machines for an hour. */
const LIFE_MAX_MS = 24 * 3_600_000;
/** OpenID Connect Core 2. */
const SUBJECT_CHARS_MAX = 255;
