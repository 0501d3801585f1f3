/**
 * The tokens of a cluster that says itself who its issuer is, and can change that while its older tokens live. All are under its keys;
 * only a token that is, but names another issuer, is worth a read: together with the keys, and no more often.
 */

import { quoted } from "../../core/identity/authn-error.ts";
import { callerFromClaims } from "../../core/identity/kubernetes-caller.ts";
import { parseTokenClaims } from "../../core/identity/token-claims.ts";
import {
  IssuerTokens,
  UnknownIssuerError,
  type IssuerTokensOptions,
} from "./token-authenticator.ts";

export interface ClusterTokenOptions extends IssuerTokensOptions {
  /** Whose tokens count; others may be among them when the keys have been read again. */
  readonly issuers: () => readonly string[];
}

export class ClusterTokenAuthenticator extends IssuerTokens {
  constructor(options: ClusterTokenOptions) {
    const { issuers, keys } = options;
    super(options, (payload, rules, nowMs) => {
      const claims = parseTokenClaims(payload);
      const { issuer } = claims;
      if (!issuers().includes(issuer)) throw unknownIssuer(issuer, issuers(), keys.isCurrent);
      const caller = callerFromClaims(claims, { ...rules, issuer }, nowMs);
      return { caller, validity: claims.validity };
    });
  }
}

function unknownIssuer(
  issuer: string,
  known: readonly string[],
  isCurrent: boolean,
): UnknownIssuerError {
  const message = `expected issuer ${known.map(quoted).join(" or ")}, got ${quoted(issuer)}`;
  return new UnknownIssuerError(isCurrent ? "token-issuer" : "keys-unavailable", message);
}
