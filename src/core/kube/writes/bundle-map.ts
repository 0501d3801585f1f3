/**
 * The ConfigMap with the roots that each namespace is to have, as Istio's namespace controller keeps it: agents and Envoys mount it. Only
 * its `root-cert.pem` and Istio's label are ours; what else somebody keeps in it stays.
 */

import type { KubeNamespace } from "../namespace.ts";
import type { KubeObject } from "../kube-object.ts";

export interface BundleMap extends KubeObject {
  readonly resourceVersion: string;
  /** SHA-256 of its `root-cert.pem`; undefined where it has none. */
  readonly rootsSha256: string | undefined;
  /** `istio.io/config: "true"`, by which istiod finds its own. */
  readonly isLabelled: boolean;
  /** Who wrote the roots in it, by `managedFields`; "" where nobody says. */
  readonly manager: string;
}

/** Istio: `inject.IgnoredNamespaces` without kube-system, where ztunnel and CNI run. */
const ignored: ReadonlySet<string> = new Set([
  "kube-public",
  "kube-node-lease",
  "local-path-storage",
]);

/** Whether a namespace is to have one. In one that ends, nothing new can be written. */
export function isServed({ name, isTerminating }: KubeNamespace): boolean {
  return !isTerminating && !ignored.has(name);
}

export type MapChange = "none" | "create" | "change";

/** @param wantedSha256 of the text that `root-cert.pem` is to have */
export function planMap(
  namespace: KubeNamespace | undefined,
  map: BundleMap | undefined,
  wantedSha256: string,
): MapChange {
  if (namespace === undefined || !isServed(namespace)) return "none";
  if (map === undefined) return "create";
  return map.rootsSha256 === wantedSha256 && map.isLabelled ? "none" : "change";
}
