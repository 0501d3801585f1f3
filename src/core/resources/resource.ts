/** What every object of the configuration has, and which of two that say different things is the older. */

import { compareText } from "../compare-text.ts";

export type ResourceKind =
  | "PeerAuthentication"
  | "DestinationRule"
  | "ServiceEntry"
  | "WorkloadEntry"
  | "Sidecar"
  | "MeshConfig";

export interface ResourceRef {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
  /** The object of a cluster that it is put together from, in the same namespace: nobody has written one of this kind. */
  readonly standsFor?: { readonly kind: ClusterKind; readonly name: string };
}

/** A pod has the shape of a WorkloadEntry here, and a service that of a ServiceEntry. */
export type ClusterKind = "Pod" | "Service";

export interface Resource {
  readonly ref: ResourceRef;
  /** `metadata.creationTimestamp`; undefined where none is written, as in most files. */
  readonly createdMs: number | undefined;
}

/** Of a kind that need not be known here. */
type ResourceWords = Readonly<Record<"kind" | "namespace" | "name", string>> &
  Pick<ResourceRef, "standsFor">;

/** How people are told of it, wherever they are: by what stands in their cluster. */
export function refWords({ kind, namespace, name, standsFor }: ResourceWords): string {
  return `${standsFor?.kind ?? kind} ${namespace}/${standsFor?.name ?? name}`;
}

/** By which one of its kind is found, changed and taken away. */
export type ResourceName = Pick<ResourceRef, "namespace" | "name">;

/** The same for the same name only: neither part has a slash. */
export function nameKey({ namespace, name }: ResourceName): string {
  return `${namespace}/${name}`;
}

/** By which people know it: a service of a cluster by its own name. */
export function shownName({ namespace, name, standsFor }: Omit<ResourceRef, "kind">): string {
  return nameKey({ namespace, name: standsFor?.name ?? name });
}

export type Labels = ReadonlyMap<string, string>;

/**
 * Istio: the oldest wins, then the name, then the namespace. Whoever has no time of creation is younger than all that have one:
 * an edit of a file must not make it older.
 * @returns below 0 where `a` wins
 */
export function compareAge(a: Resource, b: Resource): number {
  const byTime = (a.createdMs ?? Infinity) - (b.createdMs ?? Infinity);
  // Infinity - Infinity is no number: both are without.
  if (byTime !== 0 && !Number.isNaN(byTime)) return byTime;
  return compareText(a.ref.namespace, b.ref.namespace) || compareText(a.ref.name, b.ref.name);
}
