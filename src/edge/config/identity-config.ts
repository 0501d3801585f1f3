/**
 * Who else may be a caller, beside the service accounts of one cluster: issuers of tokens and PKIs,
 * each with rules of its own. Said in the file only (`identities`), because it has structure; with
 * none of it, those doors are shut.
 */

import type { ClaimRule } from "../../core/identity/claim-rule.ts";
import type { X5cRule } from "../../core/identity/x5c-rule.ts";
import { ConfigError } from "./config-error.ts";

export interface IdentityConfig {
  readonly oidc: readonly OidcIssuerConfig[];
  readonly x5c: readonly X5cEntryConfig[];
}

export interface OidcIssuerConfig {
  /** The exact `iss` claim. */
  readonly issuer: string;
  /** Absolute path or http(s) URL. */
  readonly jwks: string;
  readonly audiences: readonly string[];
  readonly rules: readonly ClaimRule[];
  /** Where the operator wrote it: `config.yaml: identities.oidc.0`. */
  readonly place: string;
}

export interface X5cEntryConfig {
  /** For the log. */
  readonly name: string;
  /** PEM file; absolute path. */
  readonly roots: string;
  readonly audiences: readonly string[];
  readonly rules: readonly X5cRule[];
  /** Where the operator wrote it: `config.yaml: identities.x5c.0`. */
  readonly place: string;
}

export const NO_IDENTITIES: IdentityConfig = Object.freeze({
  oidc: Object.freeze([]),
  x5c: Object.freeze([]),
});

/** The tokens of the cluster have a door of their own. @throws ConfigError */
export function assertOtherIssuers(
  { oidc }: IdentityConfig,
  tokenIssuer: string | undefined,
): void {
  const same = oidc.find(({ issuer }) => issuer === tokenIssuer);
  if (same === undefined) return;
  throw new ConfigError(
    "config-conflict",
    `${same.place}.issuer`,
    "expected another issuer than that of the cluster's tokens",
    { hint: "service accounts need no rules: their identity is in the token" },
  );
}
