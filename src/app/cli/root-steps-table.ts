/** `root status` for people: which command may be given now, which not and why, and what the end waits for. */

import { formatRelative } from "./format.ts";
import { classWaiver } from "./root-classes.ts";
import { shapeOf } from "./root-judgement.ts";
import type { RootTarget } from "./root-target.ts";
import type { RootStatusValue, RootStepValue } from "./root-value.ts";
import { causeOf, hintsOf, wordsOf, wrapWords } from "./root-words.ts";

/** Refusals are sentences, and too long for a table. */
export function stepLines(steps: readonly RootStepValue[], nowMs: number, columns: number): string {
  const width = widthOf(columns) - stepIndent.length;
  const lines = steps.flatMap((step) => {
    const wrapped = stepTexts(step, nowMs).flatMap((text) =>
      wrapWords(wordsOf(text, nowMs), width),
    );
    const first = step.command.padEnd(stepIndent.length);
    return wrapped.map((line, index) => (index === 0 ? first : stepIndent) + line);
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** It needs no command, unless somebody has to say that a class has been seen to. */
export function endLines(status: RootStatusValue, columns: number, target: RootTarget): string {
  const { retired } = shapeOf(status);
  if (retired.length === 0) return "";
  const ids = retired.map(({ id }) => id).join(" and ");
  const waiver = classWaiver(target, status.verifiers.laggards);
  const next = waiver === "" ? "" : `; when they have been handed the roots of now: ${waiver}`;
  const text = `not over: it waits until every verifier holds the bundle without ${ids}${next}`;
  const lines = hintsOf(text).flatMap((each) => wrapWords(each, widthOf(columns)));
  return lines.map((line) => `${line}\n`).join("");
}

function widthOf(columns: number): number {
  return Math.max(40, Math.min(columns, lineWidthMax));
}

function stepTexts(step: RootStepValue, nowMs: number): readonly string[] {
  const { allowed, reason, detail, hint, opensAt } = step;
  if (allowed) return ["may be done now"];
  const [first, ...others] = hintsOf(hint);
  if (outOfTurn.has(reason) && first !== undefined) return [`not now: ${first}`, ...others];
  const time =
    opensAt === "" ? "" : `; at the latest ${formatRelative(Date.parse(opensAt), nowMs)}`;
  const hints = first === undefined ? [] : [`next: ${first}`, ...others];
  return [`not now: ${causeOf(reason, detail)}${time}`, ...hints];
}

/** Of these the table of authorities says why. */
const outOfTurn: ReadonlySet<string> = new Set([
  "rotation-in-progress",
  "nothing-prepared",
  "nothing-to-roll-back",
  "nothing-to-retire",
]);

const stepIndent = " ".repeat("activate   ".length);
const lineWidthMax = 110;
