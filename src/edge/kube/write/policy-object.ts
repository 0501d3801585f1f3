/**
 * Objects of Istio's kinds, written in the cluster: for flips, whose object stands there. Of an object only what differs between what was
 * judged and what is wanted is sent, under the resource version that was judged, so that what others keep in it stays.
 */

import type { JsonObject } from "../../../core/identity/json-object.ts";
import { mergePatch } from "../../../core/kube/writes/merge-patch.ts";
import { sameValue } from "../../../core/policy/same-value.ts";
import type { ResourceRef } from "../../../core/resources/resource.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { findObject } from "../read/found-object.ts";
import { objectOf, textOf } from "../read/raw-object.ts";
import { createObject, deleteObject, patchObject, type WriteOptions } from "./objects.ts";
import { policyCollection, policyKindOf, policyPath } from "./policy-path.ts";

export interface PolicyObjectNow {
  readonly resourceVersion: string;
  /** In the canonical form; undefined where it cannot be read by us. */
  readonly manifest: JsonObject | undefined;
}

export type PolicyChange =
  | { readonly kind: "create"; readonly manifest: JsonObject }
  | {
      readonly kind: "change";
      /** Both in the canonical form. */
      readonly before: JsonObject;
      readonly after: JsonObject;
      /** Of what was read as `before`. */
      readonly resourceVersion: string;
    }
  | { readonly kind: "delete"; readonly resourceVersion: string };

/** As it is now, not as a watch has seen it. @returns undefined where there is none. @throws KubeError; the reason of the signal */
export async function readPolicyObject(
  connection: KubeConnection,
  ref: ResourceRef,
  options?: WriteOptions,
): Promise<PolicyObjectNow | undefined> {
  const raw = await findObject(connection, policyPath(ref), options);
  if (raw === undefined) return undefined;
  return {
    resourceVersion: textOf(objectOf(raw["metadata"])["resourceVersion"]),
    manifest: policyKindOf(ref).parse(raw)?.loaded?.manifest,
  };
}

/** @throws KubeError `kube-conflict` where somebody else was there first; the reason of the signal */
export async function writePolicyObject(
  connection: KubeConnection,
  ref: ResourceRef,
  change: PolicyChange,
  options?: WriteOptions,
): Promise<void> {
  switch (change.kind) {
    case "create":
      await createObject(connection, policyCollection(ref), ageless(change.manifest), options);
      return;
    case "change": {
      const { before, after, resourceVersion } = change;
      const patch = mergePatch(ageless(before), ageless(after));
      if (Object.keys(patch).length === 0) return;
      await patchObject(connection, policyPath(ref), { resourceVersion, patch }, options);
      return;
    }
    case "delete":
      await deleteObject(connection, policyPath(ref), change.resourceVersion, options);
      return;
  }
}

/** What an edit was planned from, and what it makes of it; undefined: no object. */
export interface PolicyEdit {
  readonly before: JsonObject | undefined;
  readonly after: JsonObject | undefined;
}

/**
 * Whether the object is what the edit was planned from is asked of the API server; then it is changed as that very version.
 * @throws KubeError `kube-conflict` where it is another; the reason of the signal
 */
export async function editPolicyObject(
  connection: KubeConnection,
  ref: ResourceRef,
  { before, after }: PolicyEdit,
  options?: WriteOptions,
): Promise<void> {
  const now = await readPolicyObject(connection, ref, options);
  const isAsPlanned =
    now === undefined || before === undefined
      ? now === before
      : now.manifest !== undefined && isSameManifest(now.manifest, before);
  if (!isAsPlanned) {
    const message = `expected ${policyPath(ref)} as it was judged, got another`;
    throw new KubeError("kube-conflict", message, {
      hint: "somebody else has changed it: look again",
    });
  }
  const resourceVersion = now?.resourceVersion ?? "";
  if (before === undefined && after !== undefined) {
    await writePolicyObject(connection, ref, { kind: "create", manifest: after }, options);
  } else if (before !== undefined && after !== undefined) {
    const change = { kind: "change", before, after, resourceVersion } as const;
    await writePolicyObject(connection, ref, change, options);
  } else if (before !== undefined) {
    await writePolicyObject(connection, ref, { kind: "delete", resourceVersion }, options);
  }
}

/** Whenever they were created. */
export function isSameManifest(a: JsonObject, b: JsonObject): boolean {
  return sameValue(ageless(a), ageless(b));
}

/** The API server says itself when it was created. */
function ageless(manifest: JsonObject): JsonObject {
  const { creationTimestamp: _, ...metadata } = objectOf(manifest["metadata"]);
  return { ...manifest, metadata };
}
