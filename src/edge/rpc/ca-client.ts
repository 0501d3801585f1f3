/**
 * The client's side of Istio's CA API. One connection for each certificate: they are rare, and the server's root and the
 * token are read afresh each time, as they change on disk.
 */

import { create } from "@bufbuild/protobuf";
import { Metadata, status, type Client, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import {
  IstioCertificateRequestSchema,
  IstioCertificateService,
  type IstioCertificateResponse,
} from "../../gen/istio/v1/auth/ca_pb.ts";
import { dial, type ClientIdentity } from "./dial.ts";
import { connectionProblem, errorDetail, isAnswer, isClosed } from "./error-detail.ts";
import { methodDefinition } from "./service-definition.ts";
import { callUnary } from "./unary-call.ts";

export interface CertificateRequest {
  /** `HOST:PORT`. */
  readonly server: string;
  /** PEM. */
  readonly serverRoots: Uint8Array;
  /** Not with `identity`. */
  readonly token?: string;
  /** The certificate that is to be renewed. */
  readonly identity?: ClientIdentity;
  readonly csrPem: string;
  /** 0 asks for the server's default. */
  readonly ttlSeconds: number;
  readonly timeoutMs: number;
}

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

/** @returns PEM: the leaf, each intermediate, all roots in the last element. @throws CaClientError */
export async function requestCertificate(
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<readonly string[]> {
  signal.throwIfAborted();
  if (request.token !== undefined) assertSendable(request.token);
  const client = dial(request);
  try {
    const { certChain } = await call(client, request, signal);
    return certChain;
  } finally {
    client.close();
  }
}

const method = methodDefinition(
  IstioCertificateService,
  IstioCertificateService.method.createCertificate,
);

/** grpc-js would refuse it as well, and quote it in the error. */
function assertSendable(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new CaClientError("ca-token-malformed", "expected one token of printable ASCII", {
    hint: "look at the token file: is it empty, or does it hold more than a token?",
  });
}

function call(
  client: Client,
  request: CertificateRequest,
  signal: AbortSignal,
): Promise<IstioCertificateResponse> {
  const message = create(IstioCertificateRequestSchema, {
    csr: request.csrPem,
    validityDuration: BigInt(request.ttlSeconds),
  });
  const metadata = new Metadata();
  if (request.token !== undefined) metadata.set("authorization", `Bearer ${request.token}`);
  const { timeoutMs } = request;
  const errorOf = (error: ServiceError): CaClientError => clientError(error, request);
  return callUnary(client, { method, message, metadata, timeoutMs, signal, errorOf });
}

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

function clientError(error: ServiceError, { server }: CertificateRequest): CaClientError {
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
