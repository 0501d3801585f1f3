/**
 * Until when the members of a flip have told whom they saw. Before a stage that has to reach the time of the order, or of the last stage:
 * a caller of just before, whom nobody has told of yet, would be refused. At the end it is said of whom it does not reach.
 */

import { absenceWords } from "./absence-words.ts";
import { stagesOf, type Flip } from "./flip.ts";
import { endMs } from "./flip-causes.ts";
import type { FlipView, MemberState } from "./flip-view.ts";
import type { FlipWait } from "./flip-wait.ts";

/** How long after a stage is in force, or after the order, its evidence has to reach. */
const settledMs = 1_000;
/** How much older than a verdict that has become safe its evidence may be: what waits long is not asked to tell each second. */
const freshMs = 2_000;
/** Evidence that is not there so long after the end of the window is not waited for. */
const lateMs = 60_000;

/** Before the next stage. */
export function toldWaits(flip: Flip, view: FlipView): readonly FlipWait[] {
  const last = flip.opened.at(-1);
  const sinceMs = last === undefined ? flip.startedMs : last.inForceMs;
  const freshSinceMs = (view.safeSinceMs ?? -Infinity) - freshMs;
  const stageOf = stagesOf(flip);
  return [
    ...blindWaits(flip, view),
    ...asked(view).flatMap((each): FlipWait[] => {
      const { name, isConnected } = each;
      const isStrict = stageOf(name) !== undefined;
      // Who is strict and silent is not in force.
      if (!isStrict && !isConnected) return [{ kind: "proxy", name, detail: absenceWords(each) }];
      if (sinceMs === undefined) return [];
      const gap = isStrict ? gapRefused : gapSeen;
      if (hasTold(each, sinceMs + settledMs)) {
        return hasTold(each, freshSinceMs) ? [] : [untoldWait(each, untoldNow, gap)];
      }
      const untold = isStrict ? untoldRefused : last === undefined ? untoldOrder : untoldSeen;
      return [untoldWait(each, untold, gap)];
    }),
  ];
}

const untoldOrder = "has not told yet whom it has seen since the order";
const untoldSeen = "has not told yet whom it has seen since the last stage was in force";
const untoldNow = "has not told yet whom it has seen of late";
const untoldRefused = "has not told yet whom it has refused since";
const gapSeen = "was told of by nobody for a time: mtls check names it";
const gapRefused =
  "was told of by nobody for a time since it is strict: the look-back has to be past it; or mtls revert";
const gapWindow = "was told of by nobody for a time since it is strict";

/** What is in a gap never comes. */
function untoldWait({ name, hasGap }: MemberState, untold: string, gap: string): FlipWait {
  return { kind: "evidence", name, detail: hasGap ? gap : untold };
}

/** After the end of the window: of those who were away with the server, as long as of others. */
export function windowToldWaits(flip: Flip, view: FlipView, atMs: number): readonly FlipWait[] {
  const untilMs = endMs(flip);
  if (atMs >= Math.max(untilMs, view.lookedSinceMs) + lateMs) return [];
  const late = asked(view).filter((each) => !hasTold(each, untilMs));
  return [
    ...blindWaits(flip, view),
    ...late.map((each) => untoldWait(each, untoldRefused, gapWindow)),
  ];
}

/**
 * Who has a gap since it is strict, or has lost whom it has seen, too; and whose silence is waived: that is not waited for, and nothing is
 * known of it.
 */
export function unseenOf(flip: Flip, { workloads }: FlipView): readonly string[] {
  const untilMs = endMs(flip);
  return workloads
    .filter((each) => (each.stage !== "no-proxy" && !hasTold(each, untilMs)) || each.lost > 0)
    .map(({ name }) => name);
}

export function blindWaits({ target }: Flip, { evidence }: FlipView): readonly FlipWait[] {
  if (evidence === "known") return [];
  const detail = "evidence.db cannot be asked: portcullis status";
  return [{ kind: "evidence", name: target.text, detail }];
}

/** Somebody is there who could tell, and nobody has waived it. */
function asked({ workloads }: FlipView): readonly MemberState[] {
  return workloads.filter(({ isWaived, stage }) => !isWaived && stage !== "no-proxy");
}

function hasTold({ evidenceUntilMs = 0 }: MemberState, untilMs: number): boolean {
  return evidenceUntilMs >= untilMs;
}
