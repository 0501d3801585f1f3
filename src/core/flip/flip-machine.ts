/**
 * The next step of a flip, from what is durable and what is known now: a pure function, so that after a crash it goes on where it was.
 * Stages only open, and each only when the one before is proven; what takes it back comes first.
 */

import { compareText } from "../compare-text.ts";
import type { FlipRefusal } from "./flip-error.ts";
import {
  hasEnded,
  isOpenToAll,
  lastMs,
  type Flip,
  type FlipState,
  type OpenedStage,
  type RevertCause,
} from "./flip.ts";
import { revertCause } from "./flip-causes.ts";
import type { FlipView } from "./flip-view.ts";
import { forceWaits, isBack, laxOf, waitsFor } from "./flip-waits.ts";
import type { ObjectSays } from "./object-says.ts";
import { joiningStage } from "./stages.ts";
import { overruledCause, supersedes } from "./superseding.ts";
import { unseenOf } from "./told-until.ts";

/** @returns undefined where nothing is to be done now; the step is durable before it is in force, and then asked for again */
export function nextFlip(flip: Flip, view: FlipView, nowMs: number): Flip | undefined {
  if (hasEnded(flip)) return undefined;
  const atMs = Math.max(nowMs, lastMs(flip));
  const { state } = flip;
  if (state.kind === "reverting") {
    if (!isBack(view)) return undefined;
    return inState(flip, { kind: "reverted", cause: state.cause, endedMs: atMs });
  }
  const why = supersedes(flip, view, atMs);
  if (why !== undefined) return inState(flip, { kind: "superseded", endedMs: atMs, why });
  const cause = revertCause(flip, view) ?? overruledCause(flip, view);
  if (cause !== undefined) return inState(flip, { kind: "reverting", cause, sinceMs: atMs });
  return inForce(flip, view, atMs) ?? whenNothingWaits(flip, view, atMs);
}

/**
 * Before its first stage a flip may wait for days: that its object has been written is durable, so that it is written once.
 * @returns undefined where that is nothing new
 */
export function writtenFlip(flip: Flip, object: ObjectSays): Flip | undefined {
  const { edit, state } = flip;
  if (state.kind !== "editing" || state.isWritten === true) return undefined;
  const isWritten = edit.isOurs && object === "after";
  return isWritten ? inState(flip, { kind: "editing", isWritten }) : undefined;
}

/** Nothing else stands in the way of the next step: a verdict may cost a tenth of a second, and is asked for then. */
export function waitsForVerdict(flip: Flip, view: FlipView, nowMs: number): boolean {
  if (nextFlip(flip, view, nowMs) !== undefined) return false;
  const waits = waitsFor(flip, view, nowMs);
  return waits.length > 0 && waits.every(({ kind }) => kind === "verdict");
}

/** What the objects say of a flip's target at one moment. */
export interface ObjectNow {
  readonly object: ObjectSays;
  /** What the flip wrote says STRICT still, whoever stands over it (`isStanding`). */
  readonly isStanding: boolean;
}

/** By an operator, at any time. One that has ended is taken back as long as what it wrote stands, and one that is done while all is strict. */
export function revertFlip(
  flip: Flip,
  cause: RevertCause,
  { object, isStanding }: ObjectNow,
  nowMs: number,
): Flip | FlipRefusal {
  const { kind } = flip.state;
  if (kind === "reverting") return flip;
  const isLax = object === "before" || object === "other";
  const isGone = !isStanding && (kind === "superseded" || (kind === "done" && isLax));
  if (kind === "reverted" || isGone) return nothingToRevert(flip);
  const sinceMs = Math.max(nowMs, lastMs(flip));
  return inState(flip, { kind: "reverting", cause, sinceMs });
}

/** All of the open stage refuse plaintext now. */
function inForce(flip: Flip, view: FlipView, atMs: number): Flip | undefined {
  const stage = flip.opened.at(-1);
  if (stage === undefined || stage.inForceMs !== undefined) return undefined;
  if (view.object !== "after" || forceWaits(flip, view).length > 0) return undefined;
  return { ...flip, opened: [...flip.opened.slice(0, -1), { ...stage, inForceMs: atMs }] };
}

function whenNothingWaits(flip: Flip, view: FlipView, atMs: number): Flip | undefined {
  if (waitsFor(flip, view, atMs).length > 0) return undefined;
  if (flip.state.kind === "watching") {
    const lax = laxOf(flip, view).map(({ name }) => name);
    const unseen = [...new Set([...unseenOf(flip, view), ...lax])].toSorted(compareText);
    return inState(flip, { kind: "done", endedMs: atMs, unseen });
  }
  if (isOpenToAll(flip))
    return inState(flip, { kind: "watching", sinceMs: flip.opened.at(-1)?.inForceMs ?? atMs });
  const stage = nextStage(flip, view, atMs);
  return { ...flip, opened: [...flip.opened, stage], state: { kind: "stage" } };
}

/** One that would make nobody strict more is passed over; and one that leaves nobody is the last one, which then opens nobody more. */
function nextStage(flip: Flip, { workloads }: FlipView, openedMs: number): OpenedStage {
  const strict = new Set(flip.opened.flatMap((each) => each.workloads));
  const first = (flip.opened.at(-1)?.index ?? -1) + 1;
  const left = workloads.filter(({ name }) => !strict.has(name)).length;
  for (const [index, stage] of flip.stages.entries()) {
    if (index < first || stage.kind === "all") continue;
    const joining = joiningStage(stage, workloads, strict);
    if (joining.length >= left) break;
    if (joining.length > 0) return { index, workloads: joining, openedMs, inForceMs: undefined };
  }
  const index = flip.stages.length - 1;
  return { index, workloads: [], openedMs, inForceMs: undefined };
}

function inState(flip: Flip, state: FlipState): Flip {
  return { ...flip, state };
}

function nothingToRevert({ target: { text }, state }: Flip): FlipRefusal {
  const got: Partial<Record<FlipState["kind"], string>> = {
    reverted: "one that was taken back already",
    superseded: "one that somebody else's change has ended",
  };
  const what = got[state.kind] ?? "one whose object says no more that it is strict";
  return {
    code: "nothing-to-revert",
    message: `expected a flip of ${text} to take back, got ${what}`,
    hint: `what holds now: portcullis mtls status; or make it permissive: portcullis mtls permissive ${text} --until 30d --owner NAME`,
  };
}
