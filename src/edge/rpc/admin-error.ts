/** Why an operator's call has not been carried out, whatever it was for: there is no server, or he is not let in. */

import { status, type ServiceError } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { KubeError } from "../kube/kube-error.ts";
import { targetName, type AdminTarget } from "./admin-target.ts";
import { errorDetail } from "./error-detail.ts";

export class AdminClientError extends PortcullisError<"admin-unreachable"> {
  override name = "AdminClientError";
}

export type AdminAccessCode =
  /** The server does not take the token. */
  | "admin-unauthenticated"
  /** The cluster's RBAC does not give him that. */
  | "admin-forbidden";

export class AdminAccessError extends PortcullisError<AdminAccessCode> {
  override name = "AdminAccessError";
}

/** Whoever waits may find it there again. */
const passing: ReadonlySet<string> = new Set([
  "kube-unreachable",
  "kube-unavailable",
  "kube-throttled",
  "kube-busy",
]);

/** The hints of the errors themselves are for a server's own account. */
const ofTheAsker: ReadonlyMap<string, string> = new Map([
  ["kube-forbidden", "ask whoever administers the cluster for it: kubectl auth can-i --list"],
  ["kube-unauthorized", "log in to the cluster again, or choose another --context"],
]);

/** @returns undefined for what is no refusal at the door */
export function accessError(
  target: AdminTarget,
  { code, details }: ServiceError,
): AdminAccessError | undefined {
  const refusal = typeof target === "string" ? undefined : refusals.get(code);
  if (refusal === undefined) return undefined;
  // As servers say it: the next command stands behind.
  const [message = "", ...hints] = details.split("; ");
  const hint = hints.join("\n");
  return new AdminAccessError(refusal, message, hint === "" ? {} : { hint });
}

const refusals: ReadonlyMap<status, AdminAccessCode> = new Map<status, AdminAccessCode>([
  [status.UNAUTHENTICATED, "admin-unauthenticated"],
  [status.PERMISSION_DENIED, "admin-forbidden"],
]);

/** Nobody has answered. What waiting does not heal (RBAC of the cluster, a kubeconfig) is told as it is. */
export function awayError(target: AdminTarget, cause: unknown): Error {
  if (typeof target === "string") {
    return new AdminClientError("admin-unreachable", `no server answers at ${target}`, {
      cause,
      hint: "name the running one by --data-dir DIR or --admin unix:///PATH",
    });
  }
  // Whoever has ended it knows.
  if (cause instanceof Error && cause.name === "AbortError") return cause;
  if (!(cause instanceof Error)) return unreachable(target, String(cause), { cause });
  if (cause instanceof KubeError) {
    const { code, message, hint } = cause;
    const asked = ofTheAsker.get(code);
    if (asked !== undefined) return new KubeError(code, message, { cause, hint: asked });
    if (!passing.has(code)) return cause;
    return unreachable(target, message, { cause, ...(hint !== undefined && { hint }) });
  }
  return unreachable(target, wordsOf(cause), { cause });
}

function unreachable(
  target: AdminTarget,
  why: string,
  options: { readonly cause: unknown; readonly hint?: string },
): AdminClientError {
  const message = `no server answers at ${targetName(target)}: ${why}`;
  return new AdminClientError("admin-unreachable", message, options);
}

function wordsOf(error: Error): string {
  return "details" in error && typeof error.details === "string"
    ? errorDetail({ details: error.details })
    : error.message;
}
