/** What the orders of operators have in common: whom they ask, and the change of an object that they show. */

import { FlipError } from "../../../core/flip/flip-error.ts";
import { hasEnded, type Flip } from "../../../core/flip/flip.ts";
import { shareWorkloads } from "../../../core/flip/shared-workloads.ts";
import { targetKey, type FlipTarget } from "../../../core/flip/target.ts";
import type { StrictEdit } from "../../../core/flip/strict-edit.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import type { FlipEdits } from "./flip-edits.ts";
import type { Flips } from "./flips.ts";
import type { TargetJudge } from "./target-judge.ts";

export interface FlipOrders {
  readonly flips: Flips;
  readonly judge: TargetJudge;
  readonly edits: FlipEdits;
  readonly configuration: FlipConfiguration;
  readonly nowMs: () => number;
}

/** Manifests in JSON; "" where there is none. */
export interface ObjectChange {
  readonly beforeJson: string;
  readonly afterJson: string;
}

export function changeOf({ before, after }: Pick<StrictEdit, "before" | "after">): ObjectChange {
  return {
    beforeJson: before === undefined ? "" : JSON.stringify(before.manifest),
    afterJson: JSON.stringify(after.manifest),
  };
}

/** Newer than any of the same target, and of others that have workloads of it: under way, or in force still. The newest last. */
export function flipsAround(orders: FlipOrders, text: string): readonly Flip[] {
  const { flips, judge, edits, configuration } = orders;
  const target = resolvedOf(judge, text);
  if (target === undefined) return [];
  const key = targetKey(target);
  const view = configuration.viewOf(target.namespace);
  const lastId = flipsOf(orders, text).at(-1)?.id ?? 0;
  return flips
    .all()
    .filter((flip) => flip.id > lastId && targetKey(flip.target) !== key)
    .filter((flip) => !hasEnded(flip) || flip.state.kind === "done")
    .filter((flip) => shareWorkloads(view, flip.target, target))
    .filter((flip) => !hasEnded(flip) || edits.objectSays(flip) === "after");
}

/** @returns undefined for one that is none any more */
function resolvedOf(judge: TargetJudge, text: string): FlipTarget | undefined {
  try {
    return judge.resolve(text);
  } catch (error) {
    if (error instanceof FlipError) return undefined;
    throw error;
  }
}

/** Of the same target, however it is written; the newest last. @throws FlipError */
export function flipsOf({ flips, judge }: FlipOrders, text: string): readonly Flip[] {
  const named = flips.all().filter(({ target }) => target.text === text);
  if (named.length > 0) return named;
  const key = targetKey(judge.resolve(text));
  return flips.all().filter(({ target }) => targetKey(target) === key);
}
