/**
 * Which paths an operator may give to callers from outside Kubernetes (SPIFFE-ID 2.2 says nothing
 * of them): not the control plane's own, and under `/ns/` only the one layout that Istio's policies
 * read.
 */

import { PortcullisError } from "../error.ts";
import { isDnsLabel, isDnsSubdomain } from "./service-account.ts";

export type IdentityPathErrorCode =
  | "identity-path-malformed"
  | "identity-path-reserved"
  | "identity-path-not-kubernetes";

export class IdentityPathError extends PortcullisError<IdentityPathErrorCode> {
  override name = "IdentityPathError";
}

/** The first segment of the control plane's own identities. */
const RESERVED = "portcullis";
const NAMESPACES = "ns";

/**
 * @param segments of the path, at least one
 * @throws IdentityPathError
 */
export function assertAssignable(segments: readonly string[]): void {
  const [first, namespace = "", sa, account = ""] = segments;
  if (first === RESERVED) {
    const message = `expected a path outside of /${RESERVED}, which is the control plane's own`;
    throw new IdentityPathError("identity-path-reserved", message);
  }
  if (!isKubernetes(segments)) return;
  const isLayout = segments.length === 4 && sa === "sa";
  if (isLayout && isDnsLabel(namespace) && isDnsSubdomain(account)) return;
  const got = `got /${segments.join("/")}`;
  throw new IdentityPathError(
    "identity-path-not-kubernetes",
    `expected /ns/NAMESPACE/sa/SERVICE-ACCOUNT under /ns, ${got}`,
  );
}

/** Whether it would name a workload of Kubernetes. */
export function isKubernetes(segments: readonly string[]): boolean {
  return segments[0] === NAMESPACES;
}
