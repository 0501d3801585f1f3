/** Why the deny list was not changed or not read, and what a denied caller is told. */

import { PortcullisError } from "../error.ts";

export type DenyListErrorCode =
  | "deny-target-invalid"
  | "denial-invalid"
  | "denial-unknown"
  | "deny-list-full"
  | "deny-list-malformed";

export class DenyListError extends PortcullisError<DenyListErrorCode> {
  override name = "DenyListError";
}

/** A caller that an operator has shut out. The message says why, and never which operator. */
export class DeniedError extends PortcullisError<"identity-denied" | "certificate-denied"> {
  override name = "DeniedError";
}
