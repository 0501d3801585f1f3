/**
 * The caller behind a service-account token: verified claims and the rules of this server in, the
 * caller out. The identity is made of `sub` and the configured trust domain only. No mapping rule
 * is ever asked here, and no token of another issuer comes here.
 */

import type { TrustDomain } from "../spiffe/id.ts";
import { SpiffeId } from "../spiffe/id.ts";
import { AuthnError, quoted } from "./authn-error.ts";
import type { Caller } from "./caller.ts";
import type { ServiceAccount } from "./service-account.ts";
import { parseServiceAccountSubject } from "./service-account.ts";
import type { TokenClaims } from "./token-claims.ts";
import { assertAudience, assertIssuer, assertTokenTime, type TimeRules } from "./token-rules.ts";

export interface TokenRules extends TimeRules {
  readonly issuer: string;
  /** The token must name at least one of these. */
  readonly audiences: readonly string[];
  readonly trustDomain: TrustDomain;
}

/** @throws AuthnError with the first rule that the claims break */
export function callerFromClaims(claims: TokenClaims, rules: TokenRules, nowMs: number): Caller {
  assertIssuer(claims.issuer, rules.issuer);
  assertAudience(claims.audiences, rules.audiences);
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
      ...(claims.binding?.secret !== undefined && { secret: claims.binding.secret }),
    }),
  });
}

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
