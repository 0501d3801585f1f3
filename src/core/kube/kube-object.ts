/** What every watched object of a cluster has here. Names come again; a UID never does (Kubernetes: "Object Names and IDs"). */

export interface KubeObject {
  /** "" for what is of the whole cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface DeletableObject extends KubeObject {
  /** `metadata.deletionTimestamp`, when it is to be gone, Unix ms; undefined: nobody has asked for it. */
  readonly deletionMs: number | undefined;
}

/** Tokens of an object that is being deleted count for so long after its time: Kubernetes, `pkg/serviceaccount/claims.go`. */
const deletionLeewayMs = 60_000;

/** Whether tokens that are bound to it have ended although it is still there, as the API server judges. */
export function isPastDeletion({ deletionMs }: DeletableObject, nowMs: number): boolean {
  // Written so that a clock that reads NaN ends it.
  return deletionMs !== undefined && !(nowMs <= deletionMs + deletionLeewayMs);
}
