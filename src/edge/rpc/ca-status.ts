/**
 * What a caller of the CA is told, and what the operator's metrics are told: Istio's codes, messages and labels
 * (`istio.md` 1). Why a token was refused is for the log alone.
 */

import { status } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";

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
  | "CERT_GEN_ERROR"
  | "OVERLOADED"
  | "DEADLINE"
  | "UNAVAILABLE";

/** Raised by the server around the signing itself. */
export type CaCallErrorCode = "impersonation-refused" | "queue-full" | "deadline-exceeded";

export class CaCallError extends PortcullisError<CaCallErrorCode> {
  override name = "CaCallError";
}

export function refusalOf(error: unknown): CaRefusal {
  if (!(error instanceof PortcullisError)) return internal("internal error");
  const byCode = refusalsByCode.get(error.code);
  if (byCode !== undefined) return byCode(error.message);
  return refusalsByName.get(error.name)?.(error.message) ?? internal("internal error");
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
    "queue-full",
    (message) => ({
      grpcCode: status.RESOURCE_EXHAUSTED,
      message,
      metric: "OVERLOADED",
      retryAfterMs: 1_000,
    }),
  ],
  [
    "deadline-exceeded",
    (message) => ({ grpcCode: status.DEADLINE_EXCEEDED, message, metric: "DEADLINE" }),
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
  // What is wrong with our own certificate is for the log.
  ["certificate-check-failed", () => internal("the certificate failed its check")],
  ["issuer-expired", internal],
]);

const refusalsByName: ReadonlyMap<string, Refuse> = new Map<string, Refuse>([
  [
    "AuthnError",
    () => ({
      grpcCode: status.UNAUTHENTICATED,
      message: "request authenticate failure",
      metric: "AUTHENTICATION",
    }),
  ],
  ["CsrError", csrError],
  ["PemError", csrError],
  ["DerError", csrError],
  ["PublicKeyError", csrError],
]);
