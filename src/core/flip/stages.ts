/** In which steps a flip goes, and who is in which: `1,10%,all`. */

import { compareText } from "../compare-text.ts";
import { FlipError } from "./flip-error.ts";

export type Stage =
  | { readonly kind: "count"; readonly count: number }
  /** Of all workloads, rounded down, and one at least. */
  | { readonly kind: "share"; readonly percent: number }
  | { readonly kind: "all" };

export const defaultStages = "1,10%,all";

const stagesMax = 16;
const countMax = 100_000;
const hint = `write numbers, shares and at last all, each more than the one before: --stages ${defaultStages}`;

/** Numbers rise, and shares rise; which of the two is more is known when a stage opens. @throws FlipError `stages-invalid` */
export function parseStages(text: string): readonly Stage[] {
  const parts = text.length > 200 ? [] : text.split(",").map((each) => each.trim());
  const stages = parts.map(parseStage);
  if (stages.length === 0 || stages.length > stagesMax) {
    throw invalid(`expected 1 to ${stagesMax} stages`, text);
  }
  if (stages.at(-1)?.kind !== "all") {
    throw invalid('expected "all" as the last stage: a flip that stops before is never done', text);
  }
  if (stages.filter(({ kind }) => kind === "all").length > 1) {
    throw invalid('expected "all" once, as the last stage', text);
  }
  assertRising(
    stages.flatMap((each) => (each.kind === "count" ? [each.count] : [])),
    text,
  );
  assertRising(
    stages.flatMap((each) => (each.kind === "share" ? [each.percent] : [])),
    text,
  );
  return stages;
}

export function formatStage(stage: Stage): string {
  if (stage.kind === "all") return "all";
  return stage.kind === "count" ? `${stage.count}` : `${stage.percent}%`;
}

function parseStage(text: string): Stage {
  if (text === "all") return { kind: "all" };
  const [whole, digits = "", percent] = /^(\d{1,6})(%)?$/.exec(text) ?? [];
  const number = Number(digits);
  const isShare = percent !== undefined;
  const most = isShare ? 100 : countMax;
  if (whole === undefined || number < 1 || number > most) {
    throw invalid(`expected a number from 1 to ${countMax}, a share from 1% to 100%, or all`, text);
  }
  return isShare ? { kind: "share", percent: number } : { kind: "count", count: number };
}

function assertRising(numbers: readonly number[], text: string): void {
  if (numbers.some((each, at) => each <= (numbers[at - 1] ?? 0))) {
    throw invalid("expected each stage to be more than the one before", text);
  }
}

function invalid(expected: string, text: string): FlipError {
  const got = JSON.stringify(text.slice(0, 80));
  return new FlipError("stages-invalid", `${expected}, got ${got}`, { hint });
}

export interface Stageable {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** Its proxy answers now: a stage that nobody answers for shows nothing. */
  readonly isConnected: boolean;
}

/**
 * Whom a stage that is not the last makes strict, besides those that are: by name, those who answer first.
 * @param strict by the stages before
 */
export function joiningStage(
  stage: Exclude<Stage, { kind: "all" }>,
  workloads: readonly Stageable[],
  strict: ReadonlySet<string>,
): readonly string[] {
  const all = new Set([...strict, ...workloads.map(({ name }) => name)]);
  const share = stage.kind === "share" ? Math.floor((all.size * stage.percent) / 100) : 0;
  const wanted = stage.kind === "count" ? stage.count : Math.max(1, share);
  return workloads
    .filter(({ name }) => !strict.has(name))
    .toSorted(
      (a, b) => Number(b.isConnected) - Number(a.isConnected) || compareText(a.name, b.name),
    )
    .slice(0, Math.max(0, wanted - strict.size))
    .map(({ name }) => name);
}
