/** A pod: only what is used of it. With 10,000 of them in memory each field counts. */

import type { Labels } from "../resources/resource.ts";
import { isPastDeletion, type DeletableObject } from "./kube-object.ts";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

export interface Pod extends DeletableObject {
  readonly createdMs: number | undefined;
  readonly serviceAccount: string;
  /** "" until it is scheduled; never another one after that. */
  readonly nodeName: string;
  readonly phase: PodPhase;
  /** The primary one first; empty until it has a sandbox. */
  readonly podIPs: readonly string[];
  readonly labels: Labels;
  readonly hostNetwork: boolean;
  /** Its condition Ready, whatever becomes of it. */
  readonly isReady: boolean;
}

/** Its containers have ended for good (Kubernetes: "Pod Lifecycle"). */
export function isFinished({ phase }: Pod): boolean {
  return phase === "Succeeded" || phase === "Failed";
}

/**
 * Whether nobody runs of one that is gone, as its node has said, or because it never had one: since Kubernetes 1.27 a kubelet says so of a
 * pod before it lets it go. Whoever is deleted by force (`--grace-period=0`) may go on, and nobody knows.
 */
export function hasEnded(last: Pod): boolean {
  return isFinished(last) || last.nodeName === "";
}

/** Whether it may still have processes: of whoever is none, no certificate is needed. */
export function mayRun(pod: Pod, nowMs: number): boolean {
  return !isFinished(pod) && !isPastDeletion(pod, nowMs);
}
