/**
 * What can go wrong between this server and the cluster's API server. None of it says anything about a caller: whoever cannot be looked
 * up is to come again, and what was known stays as it was.
 */

import { PortcullisError, type ErrorOptionsWithHint } from "../../core/error.ts";

export type KubeErrorCode =
  /** The settings or files by which the API server is reached. */
  | "kube-config"
  /** No connection, or no answer in time. */
  | "kube-unreachable"
  /** Too many requests of our own are under way or wait. */
  | "kube-busy"
  /** 429: of the API server's priority and fairness. */
  | "kube-throttled"
  /** 5xx */
  | "kube-unavailable"
  /** 403 */
  | "kube-forbidden"
  /** 401 */
  | "kube-unauthorized"
  /** 409 */
  | "kube-conflict"
  /** 410: the resource version is older than what the API server keeps. */
  | "kube-gone"
  /** 404 */
  | "kube-not-found"
  /** 400, 422 */
  | "kube-invalid"
  /** Something else than the API server's protocol. */
  | "kube-answer";

export interface KubeErrorOptions extends ErrorOptionsWithHint {
  /** How long the API server asks to be left alone, in ms. */
  readonly retryAfterMs?: number | undefined;
}

export class KubeError extends PortcullisError<KubeErrorCode> {
  override name = "KubeError";
  readonly retryAfterMs: number | undefined;

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(code, message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Nobody answered, or nobody who could. */
export function isAbsence({ code }: Pick<KubeError, "code">): boolean {
  return code === "kube-unreachable" || code === "kube-unavailable";
}

/** For what may come from anywhere: the network, a file, the API server. @param what was being done */
export function asKubeError(error: unknown, what: string): KubeError {
  if (error instanceof KubeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new KubeError("kube-unreachable", `${what}: ${reason}`, { cause: error });
}
