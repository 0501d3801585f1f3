/** Everything of one type that a client is to hold. */

import { digest, type VersionedResource } from "./resource.ts";

export interface ResourceSet<E> {
  readonly resources: ReadonlyMap<string, VersionedResource<E>>;
  /** The same for equal content. */
  readonly version: string;
}

export function resourceSet<E>(resources: Iterable<VersionedResource<E>>): ResourceSet<E> {
  const all = new Map(Array.from(resources, (resource) => [resource.name, resource]));
  return { resources: all, version: digest([...all.values()]) };
}

/** @param sets of two with one name, the later one's resource is taken */
export function mergeSets<E>(sets: readonly ResourceSet<E>[]): ResourceSet<E> {
  const [first, ...others] = new Map(sets.map((set) => [set.version, set])).values();
  if (first !== undefined && others.length === 0) return first;
  return resourceSet(sets.flatMap(({ resources }) => [...resources.values()]));
}
