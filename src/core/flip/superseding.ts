/**
 * When somebody else's word ends a flip. One that is there says it at once. One that is missing may be on its way back, as from an
 * editor that deletes a file and writes it again: to let go meanwhile would make all strict at once when it comes.
 */

import { endMs } from "./flip-causes.ts";
import type { FlipView } from "./flip-view.ts";
import type { Flip, RevertCause } from "./flip.ts";

/** How long an object may be missing. */
const missingMs = 30_000;
/** How long after its window a flip waits for what is not strict any more. */
const unmadeMs = 60_000;
/** In the record; more say nothing more. */
const overrulersMax = 100;

/** Somebody else's word counts, where nothing of the target is strict by it. One that is not ours may be changed on its way. */
export function supersedes(flip: Flip, view: FlipView, nowMs: number): string | undefined {
  const why = otherWord(flip, view);
  if (view.object === "partly" && nowMs >= unmadeUntil(flip, view)) {
    return "the window is over, and the object was changed by somebody else: some of the target is not strict";
  }
  if (why === undefined || view.absentSinceMs === undefined) return why;
  const isOver = nowMs >= missedUntilMs(view.absentSinceMs);
  return isOver
    ? "the object is gone, and nothing says any more that the target is strict"
    : undefined;
}

/** What the flip wrote is not left behind: when the other object went, all would be strict, in no stage and by no verdict. */
export function overruledCause(
  { opened, edit }: Flip,
  { object, overruledBy }: FlipView,
): RevertCause | undefined {
  if (object !== "overruled" || !(edit.isOurs || opened.length > 0)) return undefined;
  return { kind: "superseded", objects: overruledBy.slice(0, overrulersMax) };
}

/** @returns until when the object may come back; undefined where it is not missed */
export function missedUntil(flip: Flip, view: FlipView): number | undefined {
  const { absentSinceMs } = view;
  const isMissed = absentSinceMs !== undefined && otherWord(flip, view) !== undefined;
  return isMissed ? missedUntilMs(absentSinceMs) : undefined;
}

/** What is half strict is neither done nor taken back; it is not waited for without end. Whoever was away with the server has as long. */
export function unmadeUntil(flip: Flip, { lookedSinceMs }: FlipView): number {
  return Math.max(endMs(flip), lookedSinceMs) + unmadeMs;
}

function missedUntilMs(absentSinceMs: number): number {
  return absentSinceMs + missingMs;
}

function otherWord({ opened, edit, state }: Flip, { object }: FlipView): string | undefined {
  if (object === "other" && (edit.isOurs || opened.length > 0)) {
    return "the object was changed by somebody else, and says no more that the target is strict";
  }
  const hasSaid = opened.length > 0 || (state.kind === "editing" && state.isWritten === true);
  const isTakenBack = object === "before" && hasSaid;
  return isTakenBack ? "the object was changed back by somebody else" : undefined;
}
