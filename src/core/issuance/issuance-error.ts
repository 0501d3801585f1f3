/** Why a certificate was not made, when neither the caller's token nor its CSR is to blame. */

import { PortcullisError } from "../error.ts";

export type IssuanceErrorCode = "ttl-too-long" | "issuer-expired" | "certificate-check-failed";

export class IssuanceError extends PortcullisError<IssuanceErrorCode> {
  override name = "IssuanceError";
}
