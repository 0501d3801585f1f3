/** What a flip's state asks of its object, in a simulated server; nothing is written over what somebody else has changed. */

import { contentOf, manifestOf } from "../../src/core/flip/edited-policy.ts";
import type { Flip } from "../../src/core/flip/flip.ts";
import type { ObjectSays } from "../../src/core/flip/object-says.ts";
import { planRevert } from "../../src/core/flip/revert-edit.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceRef } from "../../src/core/resources/resource.ts";
import type { Disk, StoredObject } from "./disk.ts";
import { peerObject } from "./mesh-objects.ts";

export interface WriteOf {
  readonly disk: Disk;
  readonly view: () => MeshView;
  readonly put: (ref: ResourceRef, object: StoredObject | undefined) => void;
}

/** @returns whether the object is another now @throws crash */
export function writeObject(flip: Flip, says: ObjectSays, { disk, view, put }: WriteOf): boolean {
  const { edit, state } = flip;
  const { ref } = edit;
  if (!edit.isOurs) return false;
  const there = disk.objects.get(refKey(ref));
  const isDue = state.kind === "editing" && state.isWritten !== true && says === "before";
  if (isDue && isUntouched(edit, there)) {
    put(ref, storedOf(ref, manifestOf(edit.afterJson)));
    return true;
  }
  if (state.kind !== "reverting" || says === "before" || says === "other") return false;
  const plan = planRevert(flip, { view: view(), manifest: there?.manifest });
  if (plan.kind === "nothing") return false;
  put(ref, plan.kind === "put" ? storedOf(ref, plan.after.manifest) : undefined);
  return true;
}

function storedOf(ref: ResourceRef, manifest: NonNullable<StoredObject["manifest"]>): StoredObject {
  return { object: peerObject(ref, manifest), manifest };
}

function isUntouched({ beforeJson }: Flip["edit"], there: StoredObject | undefined): boolean {
  if (beforeJson === undefined || there?.manifest === undefined) return beforeJson === there;
  return contentOf(manifestOf(beforeJson)) === contentOf(there.manifest);
}
