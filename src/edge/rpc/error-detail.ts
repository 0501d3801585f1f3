/** What grpc-js tells of a call that failed, in words for people: why there is no connection, without its own phrases. */

import { status, type ServiceError } from "@grpc/grpc-js";

/** Between phrases of the load balancer and of the name resolver, which hold even for a Unix socket. */
const noConnection =
  /^No connection established\. Last error: (?:Error: )?([^]*?)\. Resolution note: [^]*$/;

/** grpc-js's words, with the time, for a connection that ended without an error before HTTP/2 was spoken. */
const notEstablished = /^Failed to connect \(.*\)$/;

/** Why there is no connection; undefined where there was one, or where grpc-js tells it plainly. */
export function connectionProblem({ details }: Pick<ServiceError, "details">): string | undefined {
  const problem = noConnection.exec(details)?.[1];
  if (problem === "null") return "no connection established";
  return problem !== undefined && notEstablished.test(problem)
    ? "the server closed the connection before the call"
    : problem;
}

/** There was a server, and it hung up: a certificate that it does not believe is a reason, and going away is another. */
export function isClosed({ code, details }: Pick<ServiceError, "code" | "details">): boolean {
  const problem = noConnection.exec(details)?.[1] ?? details;
  return code === status.UNAVAILABLE && (notEstablished.test(problem) || hungUp.test(problem));
}

const hungUp = /\b(ECONNRESET|EPIPE)\b|^Connection dropped$|^Client network socket disconnected/;

/**
 * A control plane of ours has answered, so it is there: each of its refusals names its request, and what grpc-js says itself
 * has no metadata.
 */
export function isAnswer({ metadata }: Pick<ServiceError, "metadata">): boolean {
  return metadata.get("x-request-id").length > 0;
}

/** The server's words, or why it could not be reached. */
export function errorDetail(error: Pick<ServiceError, "details">): string {
  return connectionProblem(error) ?? error.details;
}
