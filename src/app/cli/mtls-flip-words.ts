/** Where a flip stands, in words: on one line, and on lines of their own at a terminal. */

import { refWords } from "../../core/resources/resource.ts";
import { formatRelative } from "./format.ts";
import type { Waiting } from "./live-progress.ts";
import type { FlipValue } from "./mtls-flip-value.ts";
import { waitText, waitWordsOf } from "./mtls-flip-waits.ts";
import { backWords, enforcedWords, lateOf, stateWords } from "./mtls-flip-workloads.ts";
import { wordsOf } from "./server-words.ts";
import { firstOf } from "./text.ts";

export function flipWaiting(flip: FlipValue): Waiting {
  const nowMs = Date.parse(flip.now);
  const window = windowText(flip, nowMs);
  const late = lateOf(flip);
  const waits = waitWordsOf(flip, late);
  const lateText = late.map((each) => `${each.name} (${stateWords(each)})`);
  const parts = [
    headOf(flip),
    ...(late.length > 0 ? [`not yet: ${firstOf(lateText)}`] : []),
    // With the time that a wait names, and not how far away that is, which changes with each answer.
    ...(waits.length > 0 ? [`waits for ${firstOf(waits.map(waitText))}`] : []),
  ];
  const lines = [
    headOf(flip),
    ...(window === "" ? [] : [`  ${window}`]),
    ...late.slice(0, linesMax).map((each) => {
      return { names: `  ${each.name}`, prose: `  ${stateWords(each)}` };
    }),
    ...more(late.length),
    ...waits.slice(0, linesMax).map(({ names, detail }) => {
      const prose = wordsOf(detail, nowMs);
      return { names: `  waits for ${names}`, prose: names === "" ? prose : `: ${prose}` };
    }),
    ...more(waits.length),
    ...(flip.refused.length > 0 ? [`  refused so far: ${firstOf(namesOf(flip.refused))}`] : []),
  ];
  return {
    text: parts.join("; "),
    time: window === "" ? "" : `; ${window}`,
    lines,
    fields: { flip },
  };
}

const linesMax = 5;

function more(count: number): readonly string[] {
  return count > linesMax ? [`  and ${count - linesMax} more`] : [];
}

function namesOf(all: readonly { readonly name: string }[]): readonly string[] {
  return [...new Set(all.map(({ name }) => name))];
}

function headOf(flip: FlipValue): string {
  const { state, workloads } = flip;
  switch (state) {
    case "editing":
      return `nothing is strict yet: ${objectWords(flip)} ${editingWords(flip)}`;
    case "stage":
      return `${stageWords(flip)}: ${enforcedWords(workloads)}`;
    case "watching":
      return `watched: ${enforcedWords(workloads)}`;
    case "reverting":
    case "reverted":
      return `on the way back: ${backWords(workloads)} again`;
    default:
      return state;
  }
}

/** What is said by the object while all of it is held back. */
function editingWords({ awaitsObject, waits }: FlipValue): string {
  if (!waits.some(({ kind }) => kind === "object"))
    return "says STRICT, and all of it is held back";
  return awaitsObject ? "is to say STRICT first" : "is being changed";
}

/** `stage 2 of 3 (10%)` */
export function stageWords({ stage, stages }: Pick<FlipValue, "stage" | "stages">): string {
  return `stage ${stage + 1} of ${stages.length} (${stages[stage] ?? "?"})`;
}

export function objectWords({
  object: { kind, namespace, name },
}: Pick<FlipValue, "object">): string {
  if (kind === null) return "the object";
  return refWords({ kind, namespace: namespace ?? "", name: name ?? "" });
}

function windowText({ windowEndsAt, state }: FlipValue, nowMs: number): string {
  if (windowEndsAt === "" || state === "reverting") return "";
  const endsMs = Date.parse(windowEndsAt);
  if (endsMs <= nowMs) return "the revert window has ended";
  return `the revert window ends ${formatRelative(endsMs, nowMs)}`;
}

const causes: ReadonlyMap<string, string> = new Map([
  ["operator", "an operator asked for it"],
  ["meshed-failure", "callers of the mesh, by their addresses, failed"],
  ["refused", "workloads, by their addresses, were refused"],
  ["superseded", "another object stands over its own, and says that the target is not strict"],
]);

/** Why it was taken back, or does not count any more, with the names. */
export function causeWords({ cause, causeNames }: Pick<FlipValue, "cause" | "causeNames">): string {
  const why = causes.get(cause) ?? cause;
  return causeNames.length === 0 ? why : `${why}: ${firstOf(causeNames, 10)}`;
}
