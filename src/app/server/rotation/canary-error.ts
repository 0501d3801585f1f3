/** Why an agent gets no certificate to try its listeners with. */

import { PortcullisError } from "../../../core/error.ts";

export type CanaryErrorCode =
  /** Whoever asks was not asked to prove anything. */
  | "canary-not-asked"
  /** No authority is prepared, or another one than it was asked about. */
  | "canary-nothing-prepared"
  | "canary-too-often"
  /** The key of the prepared authority is nowhere. */
  | "canary-key-missing";

export class CanaryError extends PortcullisError<CanaryErrorCode> {
  override name = "CanaryError";
}
