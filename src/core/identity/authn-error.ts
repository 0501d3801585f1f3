/**
 * Every way in which a bearer token can be refused. The codes are a closed list: they become metric
 * labels and rows of the table that maps refusals to replies. Messages are for the log of the
 * server; the caller is told nothing but that it is not authenticated. No message ever carries a
 * token or a part of its signature.
 */

import { PortcullisError } from "../error.ts";

export type AuthnErrorCode =
  | "token-missing"
  | "token-malformed"
  | "token-algorithm"
  | "token-key-unknown"
  | "token-key-ambiguous"
  | "token-signature"
  | "token-claims"
  | "token-issuer"
  | "token-audience"
  | "token-expired"
  | "token-not-yet-valid"
  | "token-subject"
  /** Not the token's fault: its key is unknown, and the key set could not be read again. */
  | "keys-unavailable";

export class AuthnError extends PortcullisError<AuthnErrorCode> {
  override name = "AuthnError";
}

/** Shows an untrusted value in a message: short, on one line, printable ASCII only. */
export function quoted(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value;
  const head = value.length > QUOTED_CHARS_MAX ? `${value.slice(0, QUOTED_CHARS_MAX)}...` : value;
  return `"${head.replaceAll(/[^\x20-\x7e]|["\\]/g, "?")}"`;
}

const QUOTED_CHARS_MAX = 96;
