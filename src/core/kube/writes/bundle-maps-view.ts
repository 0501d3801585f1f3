/** How far the roots have got: which namespaces have the present ones, by what the watches have seen. */

import { isServed, planMap, type BundleMap } from "./bundle-map.ts";
import type { KubeNamespace } from "../namespace.ts";

export interface BundleMapsView {
  /** Namespaces that are to have one. */
  readonly total: number;
  readonly current: number;
  /** Some of the others, by name. */
  readonly behind: readonly string[];
}

const namesMax = 20;

export function viewBundleMaps(
  namespaces: Iterable<KubeNamespace>,
  mapOf: (namespace: string) => BundleMap | undefined,
  wantedSha256: string,
): BundleMapsView {
  const behind: string[] = [];
  let [total, current] = [0, 0];
  for (const namespace of namespaces) {
    if (!isServed(namespace)) continue;
    total++;
    if (planMap(namespace, mapOf(namespace.name), wantedSha256) === "none") current++;
    else if (behind.length < namesMax) behind.push(namespace.name);
  }
  return { total, current, behind };
}

export interface NamespacesByRoots {
  readonly current: number;
  /** By name. */
  readonly behind: readonly string[];
}

/**
 * For whoever waits until all have the roots: that Istio's label is missing harms nobody who mounts them.
 * @param isContested somebody else writes it, too: what it says now it may not say a moment later
 */
export function namespacesByRoots(
  namespaces: Iterable<KubeNamespace>,
  mapOf: (namespace: string) => BundleMap | undefined,
  wantedSha256: string,
  isContested: (namespace: string) => boolean,
): NamespacesByRoots {
  const behind: string[] = [];
  let current = 0;
  for (const namespace of namespaces) {
    if (!isServed(namespace)) continue;
    const { name } = namespace;
    if (mapOf(name)?.rootsSha256 === wantedSha256 && !isContested(name)) current++;
    else behind.push(name);
  }
  return { current, behind };
}
