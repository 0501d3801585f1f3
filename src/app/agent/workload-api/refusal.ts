/**
 * Why a call of the Workload API is refused, in the status codes that SPIFFE Workload Endpoint
 * (appendix A) gives them. Clients go by the code alone: InvalidArgument ends them, after the
 * others they come again.
 */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../../core/error.ts";
import { AuthnError } from "../../../core/identity/authn-error.ts";

export type WorkloadApiRefusalCode =
  | "workload-header-missing"
  | "workload-argument-invalid"
  | "workload-identity-foreign"
  | "workload-identity-missing"
  | "workload-overloaded"
  | "workload-jwt-unavailable"
  | "workload-jwt-denied"
  | "workload-jwt-unsupported";

export class WorkloadApiRefusal extends PortcullisError<WorkloadApiRefusalCode> {
  override name = "WorkloadApiRefusal";
}

export interface Status {
  readonly code: number;
  readonly details: string;
}

/** What a caller is told of an error; undefined for one that nobody has foreseen. */
export function statusOf(error: unknown): Status | undefined {
  if (error instanceof WorkloadApiRefusal) {
    return { code: statusCodes[error.code], details: error.message };
  }
  // Of a JWT-SVID that the caller wants to be validated. The message never holds it.
  if (error instanceof AuthnError) {
    return { code: status.INVALID_ARGUMENT, details: `${error.code}: ${error.message}` };
  }
  return undefined;
}

export const internalError: Status = { code: status.INTERNAL, details: "internal error" };

const statusCodes: Readonly<Record<WorkloadApiRefusalCode, number>> = {
  "workload-header-missing": status.INVALID_ARGUMENT,
  "workload-argument-invalid": status.INVALID_ARGUMENT,
  "workload-identity-foreign": status.PERMISSION_DENIED,
  // Not PermissionDenied: an agent without a certificate is starting, or its server is away.
  "workload-identity-missing": status.UNAVAILABLE,
  "workload-overloaded": status.UNAVAILABLE,
  "workload-jwt-unavailable": status.UNAVAILABLE,
  "workload-jwt-denied": status.PERMISSION_DENIED,
  "workload-jwt-unsupported": status.UNIMPLEMENTED,
};
