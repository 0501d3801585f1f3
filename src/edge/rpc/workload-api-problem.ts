/** What a failed call of the Workload API means to the operator: no agent, one that cannot serve now, or one that never does. */

import { status, type ServiceError } from "@grpc/grpc-js";
import { connectionProblem, errorDetail, isClosed } from "./error-detail.ts";

export type WorkloadApiErrorCode =
  | "workload-api-address"
  | "workload-api-unavailable"
  | "workload-api-denied"
  | "workload-api-invalid-argument"
  | "workload-api-unsupported"
  | "workload-api-failed";

interface Problem {
  readonly code: WorkloadApiErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

export function problemOf(error: ServiceError): Problem {
  if (notServed.test(error.details)) {
    return {
      code: "workload-api-unsupported",
      message: "the Workload API is not served here",
      hint:
        "a node agent serves SDS to Envoys only, each with its token: " +
        "name the socket of an agent without --node",
    };
  }
  const message = errorDetail(error);
  if (error.code !== status.UNAVAILABLE) {
    return { code: codes.get(error.code) ?? "workload-api-failed", message };
  }
  const isAway = connectionProblem(error) !== undefined || isClosed(error);
  const hint = isAway
    ? "is the agent running, and is this its socket?"
    : "the agent is there, and its log names the reason";
  return { code: "workload-api-unavailable", message, hint };
}

/** What grpc-js and grpc-go say of a service that they do not have. */
const notServed = /^The server does not implement the method |^unknown (service|method) /;

const codes: ReadonlyMap<number, WorkloadApiErrorCode> = new Map([
  [status.DEADLINE_EXCEEDED, "workload-api-unavailable"],
  [status.PERMISSION_DENIED, "workload-api-denied"],
  [status.INVALID_ARGUMENT, "workload-api-invalid-argument"],
  [status.UNIMPLEMENTED, "workload-api-unsupported"],
]);
