/**
 * What can go wrong with a key in a PKCS#11 token. A message names what was looked for, and never
 * holds a PIN.
 */

import { PortcullisError } from "../../core/error.ts";

export type Pkcs11ErrorCode =
  | "pkcs11-key-ambiguous"
  | "pkcs11-key-mismatch"
  | "pkcs11-key-not-found"
  | "pkcs11-key-unsupported"
  | "pkcs11-library-missing"
  | "pkcs11-module-unusable"
  | "pkcs11-pin-file"
  | "pkcs11-pin-missing"
  | "pkcs11-pin-rejected"
  | "pkcs11-public-key-missing"
  | "pkcs11-token-ambiguous"
  | "pkcs11-token-not-found"
  /** The token does not do its work now; it may again later. */
  | "pkcs11-unavailable"
  | "pkcs11-uri-attribute-duplicate"
  | "pkcs11-uri-attribute-missing"
  | "pkcs11-uri-attribute-refused"
  | "pkcs11-uri-attribute-unknown"
  | "pkcs11-uri-malformed"
  | "pkcs11-uri-value-invalid";

/** Codes of what may pass by itself: the token is away, or its module has to begin anew. */
export const PASSING_CODES: ReadonlySet<string> = new Set<Pkcs11ErrorCode>([
  "pkcs11-module-unusable",
  "pkcs11-token-not-found",
  "pkcs11-unavailable",
]);

export class Pkcs11Error extends PortcullisError<Pkcs11ErrorCode> {
  override name = "Pkcs11Error";
}
