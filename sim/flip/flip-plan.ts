/** What an operator's word for a flip comes to, in a simulated server: the target, its edit, and the flip to begin. */

import { newFlip, type Flip } from "../../src/core/flip/flip.ts";
import { FlipError, isRefusal } from "../../src/core/flip/flip-error.ts";
import { resolveTarget } from "../../src/core/flip/resolve-target.ts";
import { parseStages } from "../../src/core/flip/stages.ts";
import { planStrict, type StrictEdit } from "../../src/core/flip/strict-edit.ts";
import type { FlipTarget } from "../../src/core/flip/target.ts";
import type { MeshView } from "../../src/core/policy/mesh-view.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { Disk } from "./disk.ts";

export interface FlipOrder {
  readonly target: string;
  readonly stages: string;
  readonly lookBackMs: number;
  readonly revertWindowMs: number;
  readonly revertOnRefused: number | undefined;
  readonly isOurs: boolean;
}

export interface FlipPlan {
  readonly target: FlipTarget;
  readonly edit: StrictEdit;
}

/** @returns why not */
export function planFlip(
  text: string,
  view: MeshView,
  { objects }: Disk,
  createdMs: number,
): FlipPlan | string {
  try {
    const target = resolveTarget(text, view);
    const edit = planStrict(target, {
      view,
      manifestOf: (ref) => objects.get(refKey(ref))?.manifest ?? {},
      createdMs,
    });
    return isRefusal(edit) ? edit.code : { target, edit };
  } catch (error) {
    if (error instanceof FlipError) return error.code;
    throw error;
  }
}

export function flipOf(
  order: FlipOrder,
  { target, edit }: FlipPlan,
  { id, startedMs }: Pick<Flip, "id" | "startedMs">,
): Flip {
  const { ref, before, after, ports, exceptPorts } = edit;
  const { lookBackMs, revertWindowMs, revertOnRefused, isOurs } = order;
  const beforeJson = before && JSON.stringify(before.manifest);
  const afterJson = JSON.stringify(after.manifest);
  return newFlip({
    id,
    target,
    operator: "ada",
    startedMs,
    lookBackMs,
    stages: parseStages(order.stages),
    revertWindowMs,
    revertOnRefused,
    edit: { ref, beforeJson, afterJson, isOurs },
    ports,
    exceptPorts,
  });
}
