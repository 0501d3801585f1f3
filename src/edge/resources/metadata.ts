/** A manifest's `metadata`: what names the object and says how old it is. */

import type { Labels, Resource, ResourceKind } from "../../core/resources/resource.ts";
import { isJsonMap, type Json, type ManifestMetadata } from "./manifest.ts";
import { shown, type Place } from "./place.ts";
import { entries, fields, optional, required, text, type Reader } from "./reader.ts";
import { labelLike, labels, nameLike, noLabels } from "./words.ts";

export interface Head {
  readonly resource: Resource;
  readonly labels: Labels;
  /** As it is kept: without what a cluster wrote into it. */
  readonly metadata: ManifestMetadata;
}

const timestamp: Reader<number | undefined> = (value, place) => {
  const written = text(value, place);
  const isRfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.test(
    written,
  );
  const ms = isRfc3339 ? Date.parse(written) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  if (typeof value === "string") {
    place.refuse(`expected a time such as 2026-01-31T12:00:00Z, got ${shown(value)}`);
  }
  return undefined;
};

const anything: Reader<undefined> = () => undefined;
const ignored = optional(anything, undefined);

const metadata = fields({
  name: required(nameLike, ""),
  namespace: optional(labelLike, "default"),
  labels: optional(labels, noLabels),
  annotations: optional(entries(text, text, 1_024), new Map<string, string>()),
  creationTimestamp: optional(timestamp, undefined),
  // A cluster's own: nothing is lost with them.
  deletionGracePeriodSeconds: ignored,
  deletionTimestamp: ignored,
  finalizers: ignored,
  generateName: ignored,
  generation: ignored,
  managedFields: ignored,
  ownerReferences: ignored,
  resourceVersion: ignored,
  selfLink: ignored,
  uid: ignored,
});

/** A copy of the object in the object. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

export function readMetadata(kind: ResourceKind, value: Json | undefined, place: Place): Head {
  const read = metadata(value ?? {}, place);
  const { name, namespace, creationTimestamp: createdMs } = read;
  const annotations = [...read.annotations].filter(([key]) => key !== lastApplied);
  return {
    resource: { ref: { kind, namespace, name }, createdMs },
    labels: read.labels,
    metadata: {
      name,
      namespace,
      ...(createdMs !== undefined && { creationTimestamp: new Date(createdMs).toISOString() }),
      ...(read.labels.size > 0 && { labels: Object.fromEntries(sorted(read.labels)) }),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(sorted(annotations)) }),
    },
  };
}

/** As far as it can be told, of a manifest that cannot be read. */
export function nameOf(value: Json | undefined): {
  readonly namespace: string;
  readonly name: string;
} {
  const map = isJsonMap(value) ? value : {};
  const { name, namespace } = map;
  return {
    namespace: typeof namespace === "string" ? namespace : "default",
    name: typeof name === "string" ? name : "",
  };
}

function sorted(
  pairs: Iterable<readonly [string, string]>,
): readonly (readonly [string, string])[] {
  return [...pairs].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
