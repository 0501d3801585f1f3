/** An object of the configuration, as a server keeps it. */

import { hash } from "node:crypto";
import { refKey, type PolicyObject } from "../../../../core/resources/policy-object.ts";
import type { LoadedObject, Manifest } from "../../../../edge/resources/manifest.ts";

export interface StoredObject {
  readonly object: PolicyObject;
  /** Its manifest. Two of the same text say the same. */
  readonly json: string;
  /** SHA-256 of `json`, in hex; "" for what is put together from a cluster's pods and services, and written nowhere. */
  readonly digest: string;
  /** `FILE:LINE` of the directory; "" for one that was applied; `cluster`. */
  readonly origin: string;
}

export function storedObject({ object, manifest, origin }: LoadedObject): StoredObject {
  const json = JSON.stringify(manifest);
  return { object, json, digest: hash("sha256", json), origin };
}

/** As it was read once. */
export function loadedObject({ object, json, origin }: StoredObject): LoadedObject {
  return { object, manifest: JSON.parse(json), origin };
}

export function keyOf({ object }: Pick<StoredObject, "object">): string {
  return refKey(object.object.ref);
}

/** With this time of creation in the place of any that it has. @param createdMs undefined: without one */
export function createdAt(manifest: Manifest, createdMs: number | undefined): Manifest {
  const { creationTimestamp: _, ...rest } = manifest.metadata;
  const created = createdMs !== undefined && {
    creationTimestamp: new Date(createdMs).toISOString(),
  };
  return { ...manifest, metadata: { ...rest, ...created } };
}

/** Of what the API server has. A file's has a line, too. */
export const clusterOrigin = "cluster";

/** Where it stands, for people. */
export function originWords({ origin }: Pick<StoredObject, "origin">): string {
  return origin === clusterOrigin ? "the cluster" : origin;
}
