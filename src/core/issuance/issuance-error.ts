/** Why a certificate was not made, when neither the caller's token nor its CSR is to blame. */

import { PortcullisError } from "../error.ts";

export type IssuanceErrorCode =
  | "ttl-too-long"
  | "issuer-expired"
  /** Nothing was signed: the bytes to be signed break a rule. */
  | "certificate-lint-failed"
  /** What was to be signed, or came back, is not what was prepared. */
  | "certificate-check-failed"
  /** The signer has thrown. */
  | "signer-failed";

export class IssuanceError extends PortcullisError<IssuanceErrorCode> {
  override name = "IssuanceError";
}
