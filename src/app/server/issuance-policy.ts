/** Who may have what, for how long, as one digest: the log says when that changed before anything is signed under it. */

import { hash } from "node:crypto";
import { SpiffeId } from "../../core/spiffe/id.ts";
import type { ServerConfig } from "../../edge/config/server-config.ts";

export interface IssuancePolicy {
  /** SHA-256 of the settings in JSON with sorted keys. */
  readonly digest: Uint8Array;
  /** For a reader: lifetimes and counts. Neither URLs nor claims, which may say more than they should. */
  readonly detail: string;
}

export function issuancePolicy(config: ServerConfig): IssuancePolicy {
  const { tokenIssuer, jwks, audiences, identities, renewByCertificate, nodeAgents } = config;
  const { defaultTtlSeconds, maxTtlSeconds, jwtSvidTtlSeconds } = config;
  const ttls = { defaultTtlSeconds, maxTtlSeconds, jwtSvidTtlSeconds, renewByCertificate };
  // Where an operator wrote a rule does not change what it allows.
  const rules = {
    oidc: identities.oidc.map((entry) => ({ ...entry, place: undefined })),
    x5c: identities.x5c.map((entry) => ({ ...entry, place: undefined })),
  };
  const policy = { ...ttls, tokenIssuer, jwks, audiences, rules, nodeAgents, ...cluster(config) };
  const counts = {
    nodeAgents: nodeAgents.length,
    oidc: rules.oidc.length,
    x5c: rules.x5c.length,
  };
  return {
    digest: hash("sha256", JSON.stringify(policy, canonical), "buffer"),
    detail: JSON.stringify({ ...ttls, ...counts }),
  };
}

/** Nothing where there is none: the digest of a server that has none stays what it was. */
function cluster(config: ServerConfig): object {
  const { kubernetes, kubeContext, tokenCheck, podAddress, trustedNodeAccounts } = config;
  if (kubernetes === "off") return {};
  return { kubernetes, kubeContext, tokenCheck, podAddress, trustedNodeAccounts };
}

/** One text for one meaning: identities by their names, the members of an object in the order of theirs. */
function canonical(_: string, value: unknown): unknown {
  if (value instanceof SpiffeId) return value.toString();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
