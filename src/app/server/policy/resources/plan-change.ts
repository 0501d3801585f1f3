/** What an operator's change would do to the configuration, or why it is refused; it is made as one. Pure. */

import { refKey } from "../../../../core/resources/policy-object.ts";
import { refWords, type ResourceRef } from "../../../../core/resources/resource.ts";
import { didYouMean } from "../../../../edge/config/nearest-match.ts";
import { manifestLimits, type LoadedObject } from "../../../../edge/resources/manifest.ts";
import { ResourceChangeError } from "./resource-change-error.ts";
import type { LayerChange, ResourceSet } from "./resource-set.ts";
import { clusterOrigin, createdAt, storedObject, type StoredObject } from "./stored-object.ts";

export interface WantedChange {
  readonly apply: readonly LoadedObject[];
  readonly remove: readonly ResourceRef[];
}

export interface ResourceAction {
  readonly ref: ResourceRef;
  readonly action: "created" | "configured" | "unchanged" | "deleted";
}

export interface PlannedChange {
  readonly actions: readonly ResourceAction[];
  readonly change: LayerChange;
}

export interface PlanOptions {
  readonly set: ResourceSet;
  /** When what is created is created. */
  readonly nowMs: number;
  /** A manifest again, now with the time of its creation. */
  readonly read: (manifest: LoadedObject["manifest"]) => LoadedObject;
}

/** @throws ResourceChangeError */
export function planChange({ apply, remove }: WantedChange, options: PlanOptions): PlannedChange {
  const { set } = options;
  assertOnce([...apply.map(({ object }) => object.object.ref), ...remove]);
  const applied = apply.map((each) => applyOne(each, options));
  for (const ref of remove) assertDeletable(ref, set);
  const put = applied.flatMap(({ put: each }) => (each === undefined ? [] : [each]));
  const change = { layer: "applied", put, remove: remove.map(refKey) } as const;
  const { size } = set.preview(change);
  if (size > manifestLimits.objects) {
    const message = `expected at most ${manifestLimits.objects} objects in all, got ${size}`;
    throw new ResourceChangeError("resources-full", message);
  }
  const deleted = remove.map((ref) => ({ ref, action: "deleted" as const }));
  return { actions: [...applied.map(({ ref, action }) => ({ ref, action })), ...deleted], change };
}

interface AppliedOne extends ResourceAction {
  readonly put?: StoredObject;
}

function applyOne(wanted: LoadedObject, { set, nowMs, read }: PlanOptions): AppliedOne {
  const { ref, createdMs: writtenMs } = wanted.object.object;
  const found = set.find(refKey(ref));
  // A pod's name may be taken: what is written counts.
  const before = found?.object.object.ref.standsFor === undefined ? found : undefined;
  const beforeMs = before?.object.object.createdMs;
  if (before !== undefined && before.origin !== "") {
    const same = storedObject({ ...wanted, manifest: createdAt(wanted.manifest, beforeMs) });
    if (same.json !== before.json) throw standsElsewhere(before, "changed");
    return { ref, action: "unchanged" };
  }
  // Who comes with an age, from another control plane, keeps it; nobody gets one from tomorrow, and nobody a second one.
  const createdMs = beforeMs ?? Math.min(writtenMs ?? nowMs, nowMs);
  const put = { ...storedObject(read(createdAt(wanted.manifest, createdMs))), origin: "" };
  if (put.json === before?.json) return { ref, action: "unchanged" };
  return { ref, action: before === undefined ? "created" : "configured", put };
}

function assertDeletable(ref: ResourceRef, set: ResourceSet): void {
  const key = refKey(ref);
  // One that another hides may go: it says nothing anyway.
  if (set.layer("applied").has(key)) return;
  const elsewhere = set.find(key);
  if (elsewhere !== undefined) throw standsElsewhere(elsewhere, "deleted");
  const names = set.written().map(({ object }) => refWords(object.object.ref));
  const message = `there is no ${refWords(ref)}${didYouMean(refWords(ref), names)}`;
  throw new ResourceChangeError("resource-unknown", message);
}

function assertOnce(refs: readonly ResourceRef[]): void {
  const seen = new Set<string>();
  for (const ref of refs) {
    const key = refKey(ref);
    if (seen.has(key)) {
      const message = `expected each object once, got ${refWords(ref)} twice`;
      throw new ResourceChangeError("resource-twice", message);
    }
    seen.add(key);
  }
}

function standsElsewhere({ object, origin }: StoredObject, what: string): ResourceChangeError {
  const name = refWords(object.object.ref);
  if (origin === clusterOrigin) {
    const message = `${name} stands in the cluster, and is ${what} there only`;
    return new ResourceChangeError("resource-in-cluster", message);
  }
  const message = `${name} stands in ${origin} of the server's directory, and is ${what} there only`;
  return new ResourceChangeError("resource-in-directory", message);
}
