/**
 * What a caller of the CA is told, and what the operator's metrics are told: Istio's codes, messages and labels
 * (`istio.md` 1). Why a token was refused is for the log alone.
 */

import { Metadata, status, type StatusObject } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { RateLimitError } from "../../core/issuance/rate-limit-error.ts";

export interface CaRefusal {
  readonly grpcCode: number;
  readonly message: string;
  /** The `error` label of `citadel_server_csr_sign_err_count`, or which other counter it belongs to. */
  readonly metric: CaRefusalMetric;
  readonly retryAfterMs?: number;
}

export type CaRefusalMetric =
  | "AUTHENTICATION"
  | "CSR_ERROR"
  | "TTL_ERROR"
  | "ARGUMENT_ERROR"
  | "CERT_GEN_ERROR"
  | "OVERLOADED"
  | "DEADLINE"
  | "UNAVAILABLE";

/** Raised by the server around the signing itself. */
export type CaCallErrorCode =
  | "impersonation-refused"
  | "queue-full"
  | "deadline-exceeded"
  | "signer-unavailable"
  | "message-too-large";

export class CaCallError extends PortcullisError<CaCallErrorCode> {
  override name = "CaCallError";
}

export function refusalOf(error: unknown): CaRefusal {
  if (!(error instanceof PortcullisError)) return internal("internal error");
  if (error instanceof RateLimitError) {
    const { message, retryAfterMs } = error;
    return { grpcCode: status.RESOURCE_EXHAUSTED, message, metric: "OVERLOADED", retryAfterMs };
  }
  const byCode = refusalsByCode.get(error.code);
  if (byCode !== undefined) return later(byCode(error.message), error);
  return refusalsByName.get(error.name)?.(error.message) ?? internal("internal error");
}

/** Where somebody behind us has said when he is to be asked again, as the API server of a cluster does, whoever asks us waits as long. */
function later(refusal: CaRefusal, error: Error): CaRefusal {
  const { retryAfterMs: leastMs } = refusal;
  if (leastMs === undefined) return refusal;
  const asked = Math.min(askedMs(error), retryAfterMaxMs);
  return { ...refusal, retryAfterMs: Math.max(leastMs, asked) };
}

/** Longer, and an agent would rather ask another time than wait. */
const retryAfterMaxMs = 30_000;
const causesMax = 8;

/** By the errors that led to this one; 0: nobody has said it. */
function askedMs(error: Error): number {
  let cause: unknown = error.cause;
  for (let depth = 0; depth < causesMax && cause instanceof Error; depth++) {
    if ("retryAfterMs" in cause && typeof cause.retryAfterMs === "number") {
      return cause.retryAfterMs;
    }
    cause = cause.cause;
  }
  return 0;
}

/** As the reply to a call of its own. */
export function refusalStatus(
  { grpcCode, message, retryAfterMs }: CaRefusal,
  requestId: string,
): StatusObject {
  const metadata = new Metadata();
  metadata.set("x-request-id", requestId);
  // gRFC A6: a client that retries waits this long first.
  if (retryAfterMs !== undefined) metadata.set("grpc-retry-pushback-ms", String(retryAfterMs));
  return { code: grpcCode, details: message, metadata };
}

type Refuse = (message: string) => CaRefusal;

const signing = (message: string): string => `CSR signing error (${message})`;

const internal: Refuse = (message) => ({
  grpcCode: status.INTERNAL,
  message: signing(message),
  metric: "CERT_GEN_ERROR",
});

const csrError: Refuse = (message) => ({
  grpcCode: status.INVALID_ARGUMENT,
  message: signing(message),
  metric: "CSR_ERROR",
});

const unavailable: Refuse = (message) => ({
  grpcCode: status.UNAVAILABLE,
  message,
  metric: "UNAVAILABLE",
  retryAfterMs: 1_000,
});

const unauthenticated: Refuse = () => ({
  grpcCode: status.UNAUTHENTICATED,
  message: "request authenticate failure",
  metric: "AUTHENTICATION",
});

const refusalsByCode: ReadonlyMap<string, Refuse> = new Map<string, Refuse>([
  [
    "impersonation-refused",
    () => ({
      grpcCode: status.UNAUTHENTICATED,
      message: "request impersonation authentication failure",
      metric: "AUTHENTICATION",
    }),
  ],
  [
    // Whoever has a certificate of this mesh may know it.
    "renewal-off",
    () => ({
      grpcCode: status.UNAUTHENTICATED,
      message: "renewal by certificate is off (certificates.renewByCertificate)",
      metric: "AUTHENTICATION",
    }),
  ],
  [
    "queue-full",
    (message) => ({
      grpcCode: status.RESOURCE_EXHAUSTED,
      message,
      metric: "OVERLOADED",
      // Or all that were turned away would come back together.
      retryAfterMs: Math.round(500 + Math.random() * 2_000),
    }),
  ],
  [
    "deadline-exceeded",
    (message) => ({ grpcCode: status.DEADLINE_EXCEEDED, message, metric: "DEADLINE" }),
  ],
  ["signer-unavailable", () => unavailable("the signing key is not available: try again")],
  // What is wrong with the HSM or with the store is for the log.
  ["pkcs11-unavailable", () => unavailable("the signing key is not available: try again")],
  ["identities-unavailable", () => unavailable("identities cannot be checked now: try again")],
  [
    "message-too-large",
    (message) => ({ grpcCode: status.RESOURCE_EXHAUSTED, message, metric: "OVERLOADED" }),
  ],
  // What is wrong with the keys is for the log.
  ["keys-unavailable", () => unavailable("token keys are not available: try again")],
  [
    "ttl-too-long",
    (message) => ({
      grpcCode: status.INVALID_ARGUMENT,
      message: signing(message),
      metric: "TTL_ERROR",
    }),
  ],
  // What is wrong with the clock or with the disk is for the log.
  ["log-clock-stopped", () => unavailable("the server's clock is being checked: try again")],
  ["restore-unsettled", () => unavailable("the server has just been restored: try again")],
  ["log-unwritable", () => unavailable("nothing can be recorded now: try again")],
  [
    "log-full",
    () => ({
      grpcCode: status.RESOURCE_EXHAUSTED,
      message: "too many requests wait to be recorded: try again",
      metric: "OVERLOADED",
      retryAfterMs: 1_000,
    }),
  ],
  // What is wrong with our own certificate is for the log.
  ["certificate-check-failed", () => internal("the certificate failed its check")],
  ["certificate-lint-failed", () => internal("the certificate failed its check")],
  ["signer-failed", () => unavailable("the signing key is not available: try again")],
  ["issuer-expired", internal],
  [
    "jwt-svid-audience",
    (message) => ({ grpcCode: status.INVALID_ARGUMENT, message, metric: "ARGUMENT_ERROR" }),
  ],
  [
    "jwt-svid-ttl-too-long",
    (message) => ({ grpcCode: status.INVALID_ARGUMENT, message, metric: "TTL_ERROR" }),
  ],
  ["jwt-svid-evidence-expired", unauthenticated],
  [
    "jwt-svid-check-failed",
    () => ({
      grpcCode: status.INTERNAL,
      message: "the JWT-SVID failed its check",
      metric: "CERT_GEN_ERROR",
    }),
  ],
]);

const refusalsByName: ReadonlyMap<string, Refuse> = new Map<string, Refuse>([
  ["AuthnError", unauthenticated],
  [
    "DeniedError",
    (message) => ({ grpcCode: status.PERMISSION_DENIED, message, metric: "AUTHENTICATION" }),
  ],
  ["PeerError", unauthenticated],
  ["SpiffeIdError", unauthenticated],
  ["CsrError", csrError],
  ["PemError", csrError],
  ["DerError", csrError],
  ["PublicKeyError", csrError],
]);
