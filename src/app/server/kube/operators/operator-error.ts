/** Why an operator is not let in, or not let do it; and that nobody can say so now. */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../../../core/error.ts";
import { AuthnError } from "../../../../core/identity/authn-error.ts";
import type { Refusal } from "../../../../edge/rpc/admin-door.ts";

export type OperatorErrorCode =
  /** Not a token of this cluster for this API. */
  | "operator-token"
  /** The cluster's RBAC does not give him that. */
  | "operator-forbidden"
  /** The log could not have his name. */
  | "operator-name"
  /** A request without what is to be done. */
  | "operator-request"
  /** The API server cannot be asked. */
  | "operator-unknown";

export class OperatorError extends PortcullisError<OperatorErrorCode> {
  override name = "OperatorError";
}

const codes: Readonly<Record<OperatorErrorCode, status>> = {
  "operator-token": status.UNAUTHENTICATED,
  "operator-forbidden": status.PERMISSION_DENIED,
  "operator-name": status.PERMISSION_DENIED,
  "operator-request": status.INVALID_ARGUMENT,
  "operator-unknown": status.UNAVAILABLE,
};

/** The next command stands behind the first "; ". */
export function operatorRefusal(error: unknown): Refusal {
  if (error instanceof OperatorError) {
    const { code, message, hint } = error;
    return { code: codes[code], details: hint === undefined ? message : `${message}; ${hint}` };
  }
  if (error instanceof AuthnError) {
    const isKnown = error.code !== "keys-unavailable";
    const code = isKnown ? status.UNAUTHENTICATED : status.UNAVAILABLE;
    return { code, details: error.message };
  }
  return { code: status.UNAVAILABLE, details: "who you are cannot be known now" };
}
