/** `root status` for people: which command may be given now, which not and why, and what the end waits for. */

import { formatRelative } from "./format.ts";
import { waiverNext } from "./root-classes.ts";
import { causeOf, shapeOf } from "./root-judgement.ts";
import { wrapNext } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import type { RootStatusValue, RootStepValue } from "./root-value.ts";
import { wordsOf } from "./server-words.ts";
import { wrap } from "./text.ts";

/** Refusals are sentences, and too long for a table; a command of theirs stays on one line. */
export function stepLines(steps: readonly RootStepValue[], nowMs: number, columns: number): string {
  const width = widthOf(columns) - stepIndent.length;
  const lines = steps.flatMap((step) => {
    const first = step.command.padEnd(stepIndent.length);
    return stepTexts(step, nowMs, width).map(
      (line, index) => (index === 0 ? first : stepIndent) + line,
    );
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** It needs no command, unless somebody has to say that a class has been seen to. */
export function endLines(status: RootStatusValue, columns: number, target: ServerTarget): string {
  const { retired } = shapeOf(status);
  if (retired.length === 0) return "";
  const ids = retired.map(({ id }) => id).join(" and ");
  const text = `not over: it waits until every verifier holds the bundle without ${ids}`;
  const width = widthOf(columns);
  const nowMs = Date.parse(status.now);
  const next = waiverNext(target, status.verifiers.laggards);
  const lines = [...wrap(text, width), ...next.flatMap((each) => wrapNext(each, width, nowMs))];
  return lines.map((line) => `${line}\n`).join("");
}

function widthOf(columns: number): number {
  return Math.max(40, Math.min(columns, lineWidthMax));
}

function stepTexts(step: RootStepValue, nowMs: number, width: number): readonly string[] {
  const { allowed, reason, detail, next, opensAt } = step;
  if (allowed) return ["may be done now"];
  // What may be done instead, the lines of the other commands say.
  const turn = outOfTurn.get(reason);
  if (turn !== undefined) return [`not now: ${turn}`];
  const time =
    opensAt === "" ? "" : `; at the latest ${formatRelative(Date.parse(opensAt), nowMs)}`;
  const cause = wordsOf(causeOf(reason, detail), nowMs);
  return [
    ...wrap(`not now: ${cause}${time}`, width),
    ...next.flatMap((each) => wrapNext(each, width, nowMs)),
  ];
}

/** Of these the table of authorities has more. */
const outOfTurn: ReadonlyMap<string, string> = new Map([
  ["rotation-in-progress", "a rotation is going on"],
  ["nothing-prepared", "no authority is prepared"],
  ["nothing-to-roll-back", "no authority is retiring"],
  ["nothing-to-retire", "no authority is retiring"],
]);

const stepIndent = " ".repeat("activate   ".length);
const lineWidthMax = 110;
