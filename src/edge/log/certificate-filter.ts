/** Which certificates are meant, as a condition of SQL. */

import type { SQLInputValue } from "node:sqlite";
import type { Outcome } from "../../core/log/entry.ts";
import { outcomeNumbers } from "./certificate-writer.ts";

/** All that is given has to hold. */
export interface CertificateFilter {
  readonly identity?: string;
  /** Of a service account in it: `spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/...`. */
  readonly namespace?: string;
  /** The signing key's ID in lower-case hex. */
  readonly authority?: string;
  readonly expiresAfterMs?: number;
  readonly expiresBeforeMs?: number;
  readonly outcome?: Outcome | "open";
}

/** As much of the path of a SPIFFE ID as the first value has; the trust domain before it has no slash. */
const pathStart = "substr(name, 9 + instr(substr(name, 10), '/'), length(?))";

/** Each begins with AND. */
export function conditionsOf(filter: CertificateFilter): {
  readonly where: string;
  readonly values: readonly SQLInputValue[];
} {
  const { identity, namespace, authority, expiresAfterMs, expiresBeforeMs, outcome } = filter;
  const conditions: (readonly [string, ...SQLInputValue[]])[] = [];
  if (identity !== undefined) {
    conditions.push(["identity = (SELECT id FROM identities WHERE name = ?)", identity]);
  }
  if (namespace !== undefined) {
    const path = `/ns/${namespace}/sa/`;
    conditions.push([`identity IN (SELECT id FROM identities WHERE ${pathStart} = ?)`, path, path]);
  }
  if (authority !== undefined) {
    conditions.push(["authority = (SELECT id FROM authorities WHERE key_id = ?)", authority]);
  }
  if (expiresAfterMs !== undefined) conditions.push(["not_after_s * 1000 > ?", expiresAfterMs]);
  if (expiresBeforeMs !== undefined) conditions.push(["not_after_s * 1000 < ?", expiresBeforeMs]);
  if (outcome === "open") conditions.push(["result IS NULL"]);
  else if (outcome !== undefined) conditions.push(["outcome = ?", outcomeNumbers.indexOf(outcome)]);
  return {
    where: conditions.map(([condition]) => ` AND ${condition}`).join(""),
    values: conditions.flatMap(([, ...values]) => values),
  };
}
