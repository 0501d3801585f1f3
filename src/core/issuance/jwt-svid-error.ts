/** Why a JWT-SVID was not made, when the caller is known. */

import { PortcullisError } from "../error.ts";

export type JwtSvidErrorCode =
  | "jwt-svid-audience"
  | "jwt-svid-ttl-too-long"
  /** The caller proved itself, but no whole second is left of what it did that with. */
  | "jwt-svid-evidence-expired"
  /** A fault of ours: nothing is sent. */
  | "jwt-svid-check-failed";

export class JwtSvidError extends PortcullisError<JwtSvidErrorCode> {
  override name = "JwtSvidError";
}
