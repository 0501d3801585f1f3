/**
 * Whether what a token is bound to is still there, by the watch's caches and by UID, as the API server judges it
 * (`pkg/serviceaccount/claims.go`). However late a cache is, "gone" is true: a UID does not come back. "exists" is as true as the cache
 * is current, which is not asked here. What the cache has not seen (a new pod's token may be quicker than our watch) is unknown: wait
 * for the watch, then ask the API server.
 */

import type { Caller, KubernetesEvidence } from "../../identity/caller.ts";
import { isPastDeletion, type DeletableObject } from "../kube-object.ts";
import type { ObjectCache } from "../object-cache.ts";
import { isFinished, type Pod } from "../pod.ts";
import type { KubeServiceAccount } from "../service-account.ts";

/** Who is asked about: the caller by the verified claims of its token. */
export type TokenHolder = Pick<Caller, "namespace" | "serviceAccount"> & {
  readonly evidence: KubernetesEvidence;
};

export interface ExistenceCaches {
  readonly accounts: ObjectCache<KubeServiceAccount>;
  readonly pods: ObjectCache<Pod>;
}

export type BoundKind = "service account" | "pod" | "node";

export type Existence =
  /** @param pod that the token is bound to; undefined for one that is bound to its account alone */
  | { readonly kind: "exists"; readonly pod: Pod | undefined }
  | { readonly kind: "gone"; readonly what: BoundKind; readonly why: string }
  | { readonly kind: "unknown"; readonly what: BoundKind }
  /** The token names no account by UID, as today's all do, or it is a secret's: nothing here could end it. */
  | { readonly kind: "unbound" };

export function existenceOf(
  { namespace, serviceAccount, evidence }: TokenHolder,
  { accounts, pods }: ExistenceCaches,
  nowMs: number,
): Existence {
  const { serviceAccountUid: uid, pod: bound, node, secret } = evidence;
  if (namespace === undefined || serviceAccount === undefined || uid === undefined) {
    return { kind: "unbound" };
  }
  // Nobody here watches secrets, and nobody should: such a token never ends by itself.
  if (secret !== undefined) return { kind: "unbound" };
  const account = findByUid(accounts, { namespace, name: serviceAccount, uid }, nowMs);
  if (account.kind !== "found") return { ...account, what: "service account" };
  if (bound === undefined) {
    // Nobody here watches nodes, and a token may be bound to one alone.
    return node === undefined
      ? { kind: "exists", pod: undefined }
      : { kind: "unknown", what: "node" };
  }
  const found = findByUid(pods, { namespace, ...bound }, nowMs);
  if (found.kind !== "found") return { ...found, what: "pod" };
  const pod = found.object;
  if (isFinished(pod)) return { kind: "gone", what: "pod", why: `has ended (${pod.phase})` };
  if (pod.serviceAccount === serviceAccount) return { kind: "exists", pod };
  return { kind: "gone", what: "pod", why: "runs as another service account" };
}

type Found<T> =
  | { readonly kind: "found"; readonly object: T }
  | { readonly kind: "gone"; readonly why: string }
  | { readonly kind: "unknown" };

function findByUid<T extends DeletableObject>(
  cache: ObjectCache<T>,
  { namespace, name, uid }: Pick<T, "namespace" | "name" | "uid">,
  nowMs: number,
): Found<T> {
  const object = cache.find(namespace, name);
  if (object?.uid === uid) {
    if (!isPastDeletion(object, nowMs)) return { kind: "found", object };
    return { kind: "gone", why: "should have been gone a minute ago" };
  }
  if (!cache.wasRemoved(uid)) return { kind: "unknown" };
  const why = object === undefined ? "was deleted" : "was deleted, and another one has its name";
  return { kind: "gone", why };
}
