/** What the orders of operators have in common: whom they ask, and the change of an object that they show. */

import { targetKey } from "../../../core/flip/target.ts";
import type { Flip } from "../../../core/flip/flip.ts";
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

/** Of the same target, however it is written; the newest last. @throws FlipError */
export function flipsOf({ flips, judge }: FlipOrders, text: string): readonly Flip[] {
  const named = flips.all().filter(({ target }) => target.text === text);
  if (named.length > 0) return named;
  const key = targetKey(judge.resolve(text));
  return flips.all().filter(({ target }) => targetKey(target) === key);
}
