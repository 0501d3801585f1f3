/** What a rotation waits for, in words: on lines of their own at a terminal, on one line elsewhere. */

import { isClass } from "./root-classes.ts";
import { formatRelative } from "./format.ts";
import { hangingCount } from "./root-hanging.ts";
import { isPassing } from "./root-judgement.ts";
import type { Waiting } from "./live-progress.ts";
import { countLeft, laggardLines, laggardNames } from "./root-laggards.ts";
import type { RotateWait } from "./root-rotate-step.ts";
import type { RootStatusValue } from "./root-value.ts";

/** Of the steps of a rotation, with the waits between. */
const stepCount = 6;

const stepOf: Readonly<Record<RotateWait["until"], number>> = { activate: 2, retire: 4, over: 6 };

const waiting: Readonly<Record<RotateWait["until"], string>> = {
  activate: "activate waits",
  retire: "retire waits",
  over: "the end waits",
};

export const rotationAway = "the rotation stays where it is";

export function rotationWaiting(wait: RotateWait, status: RootStatusValue): Waiting {
  const time = opensText(wait, status.now);
  return {
    text: waitText(wait, status),
    time,
    lines: waitLines(wait, status),
    fields: { ...wait },
  };
}

/** Lines of their own for the time, the count and those who are waited for. */
function waitLines(wait: RotateWait, status: RootStatusValue): readonly string[] {
  const { until, laggards, lagging, isServersTurn } = wait;
  const nowMs = Date.parse(status.now);
  const time = wait.opensAt === "" ? "" : `, at the latest ${relative(wait.opensAt, nowMs)}`;
  const head = `step ${stepOf[until]} of ${stepCount}: ${waiting[until]}${time}`;
  const counts = `  ${countsText(wait)}${reissueText(wait, status)}`;
  if (isServersTurn) return [head, counts, `  ${turnText(wait, status)}`];
  const lines = laggardLines(laggards, linesMax).map(({ who, reason, endsAt }) => {
    const ends = endsAt === "" ? "-" : relative(endsAt, nowMs);
    return `  ${ends.padEnd("in 23h59m".length)}  ${reason.padEnd("not-connected".length)}  ${who}`;
  });
  const more = lines.length === 0 ? 0 : countLeft(laggards, lagging, linesMax);
  if (more > 0) lines.push(`  and ${more} more`);
  if (laggards.some(isClass)) {
    const what = until === "retire" ? "wait by the calendar" : "hand it the roots";
    lines.push(`  nobody can observe a class: ${what}; Ctrl-C says how to go on`);
  }
  return [head, counts, ...lines];
}

const linesMax = 3;

function waitText(wait: RotateWait, status: RootStatusValue): string {
  const head = `step ${stepOf[wait.until]} of ${stepCount}, ${waiting[wait.until]}: ${countsText(wait)}`;
  if (wait.isServersTurn) return `${head}; ${turnText(wait, status)}`;
  const names = laggardNames(wait.laggards, wait.lagging);
  return `${head}${reissueText(wait, status)}${names === "" ? "" : `; lagging: ${names}`}`;
}

/** Where nothing is waited for but the server. */
function turnText({ until }: RotateWait, { steps }: RootStatusValue): string {
  const late = steps.find(({ command, reason }) => command === until && isPassing(reason));
  return late === undefined
    ? "nobody lags, and the server goes on by itself"
    : `nobody lags; not now: ${late.detail}`;
}

function reissueText({ until }: RotateWait, { reissue }: RootStatusValue): string {
  return until === "retire" && reissue.left > 0 ? `; ${reissue.left} to re-issue` : "";
}

function countsText({ until, confirmed, total, lagging, laggards }: RotateWait): string {
  switch (until) {
    case "activate":
      return `${confirmed}/${total} verifiers have confirmed the new root`;
    case "retire":
      return hangingCount({ unexpired: total, waived: total - lagging, named: laggards });
    case "over":
      return `${confirmed}/${total} verifiers hold the bundle without the old root`;
    default:
      return until satisfies never;
  }
}

function opensText({ opensAt }: RotateWait, now: string): string {
  return opensAt === "" ? "" : `; at the latest ${relative(opensAt, Date.parse(now))}`;
}

function relative(time: string, nowMs: number): string {
  return formatRelative(Date.parse(time), nowMs);
}
