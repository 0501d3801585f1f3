/**
 * Who is calling: verified claims and the rules of this server in, the caller out. This is the one
 * place where a token becomes an identity, and it is made of `sub` and the configured trust domain
 * only; nothing that the caller may choose, neither its CSR nor a header, has a part in it.
 */

import type { TrustDomain } from "../spiffe/id.ts";
import { SpiffeId } from "../spiffe/id.ts";
import { AuthnError, quoted } from "./authn-error.ts";
import type { ServiceAccount } from "./service-account.ts";
import { parseServiceAccountSubject } from "./service-account.ts";
import type { BoundNode, BoundObject, TokenClaims, TokenValidity } from "./token-claims.ts";

export interface Caller {
  readonly id: SpiffeId;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** When what authenticated the caller stops to count. */
  readonly expiresAtMs: number;
  readonly evidence: CallerEvidence;
}

/**
 * What the caller proved, for the log and for checks of existence: objects are named by UID as
 * well.
 */
export interface CallerEvidence {
  readonly method: "jwt";
  readonly issuer: string;
  readonly tokenId?: string | undefined;
  readonly pod?: BoundObject | undefined;
  readonly node?: BoundNode | undefined;
  readonly serviceAccountUid?: string | undefined;
}

export interface TokenRules {
  readonly issuer: string;
  /** The token must name at least one of these. */
  readonly audiences: readonly string[];
  readonly trustDomain: TrustDomain;
  /** How far the issuer's clock may run ahead of ours. It never prolongs a token. */
  readonly clockSkewMs: number;
}

/** @throws AuthnError with the first rule that the claims break */
export function callerFromClaims(claims: TokenClaims, rules: TokenRules, nowMs: number): Caller {
  assertIssuer(claims, rules);
  assertAudience(claims, rules);
  assertTokenTime(claims.validity, rules, nowMs);
  const account = parseServiceAccountSubject(claims.subject);
  assertBindingAgrees(claims, account);
  return Object.freeze({
    id: SpiffeId.forServiceAccount(rules.trustDomain, account.namespace, account.name),
    namespace: account.namespace,
    serviceAccount: account.name,
    expiresAtMs: claims.validity.expiresAtMs,
    evidence: Object.freeze({
      method: "jwt",
      issuer: claims.issuer,
      tokenId: claims.tokenId,
      pod: claims.binding?.pod,
      node: claims.binding?.node,
      serviceAccountUid: claims.binding?.serviceAccount.uid,
    }),
  });
}

/**
 * RFC 7519 4.1.4 and 4.1.5 allow some leeway to both. Here a token is over at the very millisecond
 * of `exp`: what it would buy outlives it by a day. Only a token from a clock that runs ahead is
 * helped.
 *
 * @throws AuthnError `token-expired`, `token-not-yet-valid`
 */
export function assertTokenTime(
  validity: TokenValidity,
  rules: Pick<TokenRules, "clockSkewMs">,
  nowMs: number,
): void {
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

function assertIssuer(claims: TokenClaims, rules: TokenRules): void {
  if (claims.issuer === rules.issuer) return;
  const message = `expected issuer ${quoted(rules.issuer)}, got ${quoted(claims.issuer)}`;
  throw new AuthnError("token-issuer", message);
}

function assertAudience(claims: TokenClaims, rules: TokenRules): void {
  if (claims.audiences.some((audience) => rules.audiences.includes(audience))) return;
  const want = rules.audiences.map(quoted).join(" or ");
  const got = claims.audiences.slice(0, AUDIENCES_SHOWN_MAX).map(quoted).join(", ");
  throw new AuthnError("token-audience", `expected audience ${want}, got ${got || "none"}`, {
    hint: "set the audience of the projected service account token",
  });
}

const AUDIENCES_SHOWN_MAX = 4;

/**
 * The API server writes both from the same object. If they differ, one of them is not what it
 * seems.
 */
function assertBindingAgrees(claims: TokenClaims, account: ServiceAccount): void {
  const { binding } = claims;
  if (binding === undefined) return;
  const { namespace, serviceAccount } = binding;
  if (namespace === account.namespace && serviceAccount.name === account.name) return;
  const bound = `${quoted(namespace)}/${quoted(serviceAccount.name)}`;
  const message = `sub ${quoted(claims.subject)} disagrees with kubernetes.io ${bound}`;
  throw new AuthnError("token-subject", message);
}

function iso(timeMs: number): string {
  return Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : String(timeMs);
}
