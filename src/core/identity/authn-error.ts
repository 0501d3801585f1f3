/**
 * Every way in which a caller can fail to prove who it is. The codes are a closed list: they become metric
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
  /** The token came to a door that is not for its kind. */
  | "token-method"
  /** It is good for longer than any token of its kind may be. */
  | "token-lifetime"
  | "token-no-rule"
  | "token-ambiguous-rule"
  /** The rule's template makes no SPIFFE ID of what the token says. */
  | "token-identity"
  | "token-replayed"
  | "x5c-chain"
  | "x5c-certificate"
  /** Never made, or used before: nobody can tell which. */
  | "join-token-unknown"
  | "join-token-expired"
  /** A certificate came instead of a token, and may not be renewed by it here. */
  | "renewal-off"
  | "renewal-certificate-expired"
  | "renewal-not-enrolled"
  | "renewal-over"
  /**
   * Not the caller's fault: the store of join tokens and enrolments cannot be used, or nobody can tell
   * yet whether a single-use token was used before this server started.
   */
  | "identities-unavailable"
  /** Not the token's fault: its key is unknown, and the key set could not be read again. */
  | "keys-unavailable";

export class AuthnError extends PortcullisError<AuthnErrorCode> {
  override name = "AuthnError";
}

/** Shows an untrusted value in a message: short, on one line, printable ASCII only. */
export function quoted(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value;
  return `"${printable(value, QUOTED_CHARS_MAX).replaceAll(/["\\]/g, "?")}"`;
}

/** An untrusted text for the log: at most so many characters, on one line, printable ASCII only. */
export function printable(text: string, charsMax: number): string {
  const head = text.length > charsMax ? `${text.slice(0, charsMax)}...` : text;
  return head.replaceAll(/[^\x20-\x7e]/g, "?");
}

const QUOTED_CHARS_MAX = 96;
