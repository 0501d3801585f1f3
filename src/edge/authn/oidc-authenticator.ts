/**
 * Bearer tokens of one issuer outside of Kubernetes (CI systems, clouds) in, callers out, by the
 * operator's rules for that issuer. Each has keys, audiences and rules of its own, so that nothing
 * that one issuer says is ever judged by what was configured for another.
 */

import type { ClaimRule } from "../../core/identity/claim-rule.ts";
import { acceptOidcClaims } from "../../core/identity/oidc-caller.ts";
import { IssuerTokens, type TokenAuthenticatorOptions } from "./token-authenticator.ts";

export interface OidcAuthenticatorOptions extends TokenAuthenticatorOptions {
  readonly audiences: readonly string[];
  readonly rules: readonly ClaimRule[];
}

export class OidcAuthenticator extends IssuerTokens {
  constructor(options: OidcAuthenticatorOptions) {
    const { issuer, rules } = options;
    super(options, (claims, tokenRules, nowMs) =>
      acceptOidcClaims(claims, { ...tokenRules, issuer, rules }, nowMs),
    );
  }
}
