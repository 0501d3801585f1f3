/**
 * Every way in which a caller can fail to prove who it is. The codes are a closed list: they become metric
 * labels and rows of the table that maps refusals to replies. Messages are for the log of the
 * server; the caller is told nothing but that it is not authenticated. No message ever carries a
 * token or a part of its signature.
 */

import { PortcullisError, type ErrorOptionsWithHint } from "../error.ts";

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
  /** What it is bound to is gone, or the API server says that it counts no more. */
  | "token-revoked"
  /** Of a cluster, and bound to nothing whose end could be seen. */
  | "token-unbound"
  /** It comes from another address than its pod's. */
  | "token-address"
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
  /** The service account whose identity it has does not exist. */
  | "renewal-revoked"
  /**
   * Not the caller's fault: the store of join tokens and enrolments cannot be used, nobody can tell
   * yet whether a single-use token was used before this server started, or the cluster's API server
   * cannot be asked.
   */
  | "identities-unavailable"
  /** Not the token's fault: its key is unknown, and the key set could not be read again. */
  | "keys-unavailable";

/** As much of a caller as is said of one who is none. */
export interface ClaimedIdentity {
  readonly id: { toString(): string };
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly evidence: {
    readonly method: string;
    readonly pod?: { readonly name: string; readonly uid: string } | undefined;
    readonly serviceAccountUid?: string | undefined;
  };
}

export interface AuthnErrorOptions extends ErrorOptionsWithHint {
  /** Who it would have been, by claims whose signature holds: for the log, and for whoever looks after it. */
  readonly claimed?: ClaimedIdentity;
}

export class AuthnError extends PortcullisError<AuthnErrorCode> {
  override name = "AuthnError";
  readonly claimed: ClaimedIdentity | undefined;

  constructor(code: AuthnErrorCode, message: string, options: AuthnErrorOptions = {}) {
    super(code, message, options);
    this.claimed = options.claimed;
  }
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
