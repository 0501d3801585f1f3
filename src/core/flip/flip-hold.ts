/** Whom a flip holds back: they are PERMISSIVE where the objects say STRICT (`core/policy/holds.ts`). */

import type { Hold } from "../policy/holds.ts";
import { isFlipPort, isOpenToAll, stagesOf, type Flip } from "./flip.ts";
import { selectorOf } from "./target.ts";

/** @returns undefined where it holds nobody back */
export function holdOf(flip: Flip): Hold | undefined {
  const { id, target, ports, exceptPorts } = flip;
  if (!holdsBack(flip)) return undefined;
  const opened = flip.state.kind === "reverting" ? [] : flip.opened;
  const strict = new Set(opened.flatMap(({ workloads }) => workloads));
  const { namespace } = target;
  return { flip: id, namespace, selector: selectorOf(target), ports, exceptPorts, strict };
}

/** @param workload `NAMESPACE/NAME` of one of the target */
export function heldBack(flip: Flip, workload: string, port: number): boolean {
  if (!holdsBack(flip) || !isFlipPort(flip, port)) return false;
  return flip.state.kind === "reverting" || stagesOf(flip)(workload) === undefined;
}

function holdsBack(flip: Flip): boolean {
  const { kind } = flip.state;
  return kind === "reverting" || kind === "editing" || (kind === "stage" && !isOpenToAll(flip));
}

/** Whether a step may change who is held back. */
export function isHeldOtherwise(before: Flip, after: Flip): boolean {
  return before.state.kind !== after.state.kind || before.opened.length !== after.opened.length;
}
