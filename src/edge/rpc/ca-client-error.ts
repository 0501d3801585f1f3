/** What a failed call of the CA means to whoever has asked: judged, put off, or not even reached. */

import { status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { connectionProblem, errorDetail, isAnswer, isClosed } from "./error-detail.ts";

export type CaClientErrorCode =
  | "ca-token-malformed"
  | "ca-unauthenticated"
  /** Who it is is known, and kept out. */
  | "ca-denied"
  | "ca-invalid-argument"
  | "ca-overloaded"
  /** It has answered that it cannot now: its key, its log or its clock is not there. */
  | "ca-unavailable"
  | "ca-unreachable"
  /** Connected, and left without an answer: so a server ends whose certificate it does not believe, and one that goes away. */
  | "ca-closed"
  | "ca-untrusted"
  | "ca-failed";

/** What the CA said, or that it could not be asked. Retrying helps, if only after the operator has acted. */
export class CaClientError extends PortcullisError<CaClientErrorCode> {
  override name = "CaClientError";
}

/** Whether the server has looked at what it got and said no: asked again at once, it says the same. */
export function isJudgement(error: unknown): boolean {
  return error instanceof CaClientError && judgements.has(error.code);
}

const judgements: ReadonlySet<CaClientErrorCode> = new Set([
  "ca-unauthenticated",
  "ca-denied",
  "ca-invalid-argument",
]);

type Meaning = readonly [CaClientErrorCode, string?];

const codes: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [
    status.UNAUTHENTICATED,
    [
      "ca-unauthenticated",
      "the server's log names the reason: audience, issuer, expiry, key, rule, or a token that was used before",
    ],
  ],
  [status.PERMISSION_DENIED, ["ca-denied"]],
  [status.INVALID_ARGUMENT, ["ca-invalid-argument"]],
  [status.RESOURCE_EXHAUSTED, ["ca-overloaded"]],
  [status.UNAVAILABLE, ["ca-unreachable", "is the server running, and is this its address?"]],
  [status.DEADLINE_EXCEEDED, ["ca-unreachable"]],
]);

/** In place of these, where it was the server who said so. */
const answers: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [status.UNAVAILABLE, ["ca-unavailable", "the server is there, and its log names the reason"]],
  [status.DEADLINE_EXCEEDED, ["ca-overloaded"]],
]);

/** @param server `HOST:PORT` */
export function clientError(error: ServiceError, server: string): CaClientError {
  const answer = isAnswer(error) ? answers.get(error.code) : undefined;
  if (answer !== undefined) return caError(answer, error, server);
  const problem = connectionProblem(error);
  if (problem !== undefined && /certificate/i.test(problem)) {
    const hint = "are these the roots of this server, and is the address one of its names?";
    return caError(["ca-untrusted", hint], error, server);
  }
  if (isClosed(error)) {
    const hint =
      "does the server still believe the certificate that it was shown? its log and metrics tell";
    return caError(["ca-closed", hint], error, server);
  }
  return caError(codes.get(error.code) ?? ["ca-failed"], error, server);
}

function caError([code, hint]: Meaning, cause: ServiceError, server: string): CaClientError {
  return new CaClientError(code, `${server}: ${errorDetail(cause)}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}
