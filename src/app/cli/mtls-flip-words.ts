/** Where a flip stands, in words: on one line, and on lines of their own at a terminal. */

import { refWords } from "../../core/resources/resource.ts";
import { formatCount, formatRelative } from "./format.ts";
import type { Waiting } from "./live-progress.ts";
import type { FlipValue } from "./mtls-flip-value.ts";
import { wordsOf } from "./server-words.ts";
import { firstOf } from "./text.ts";

type Workload = FlipValue["workloads"][number];
type Wait = FlipValue["waits"][number];

export function flipWaiting(flip: FlipValue): Waiting {
  const nowMs = Date.parse(flip.now);
  const window = windowText(flip, nowMs);
  const late = lateOf(flip);
  const waits = waitsOf(flip, late);
  const lateText = late.map(({ name, ...rest }) => `${name} (${stateWords(rest)})`);
  const parts = [
    headOf(flip),
    ...(late.length > 0 ? [`not yet: ${firstOf(lateText)}`] : []),
    // With the time that a wait names, and not how far away that is, which changes with each answer.
    ...(waits.length > 0 ? [`waits for ${firstOf(waits.map(waitWords))}`] : []),
  ];
  const lines = [
    headOf(flip),
    ...(window === "" ? [] : [`  ${window}`]),
    ...late.slice(0, linesMax).map(({ name, ...rest }) => `  ${name}  ${stateWords(rest)}`),
    ...more(late.length),
    ...waits.slice(0, linesMax).map((each) => `  waits for ${wordsOf(waitWords(each), nowMs)}`),
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

/** Those that the open stage has, and that of a flip that goes back have not gone back yet. */
function lateOf({ state, workloads }: FlipValue): readonly Workload[] {
  if (state === "reverting") return openOf(workloads);
  if (state === "editing") return [];
  return openOf(workloads).filter((each) => each.state !== "in-force");
}

/** Whom a stage has opened, and who can refuse something. */
export function openOf(workloads: readonly Workload[]): readonly Workload[] {
  return workloads.filter(({ state }) => state !== "held-back" && state !== "no-proxy");
}

/** Whoever has a line of its own needs no other. */
function waitsOf({ waits }: FlipValue, late: readonly Workload[]): readonly Wait[] {
  const told = new Set(late.map(({ name }) => name));
  return waits.filter(({ kind, name }) => {
    if (kind === "window") return false;
    return !((kind === "proxy" || kind === "connections") && told.has(name));
  });
}

const awaited: ReadonlyMap<string, string> = new Map([
  ["object", "the object"],
  ["evidence", "evidence of"],
  ["verdict", "the verdict"],
]);

function waitWords({ kind, name, detail }: Wait): string {
  const what = [awaited.get(kind) ?? "", name].filter((part) => part !== "").join(" ");
  return [what, detail].filter((part) => part !== "").join(": ");
}

function stateWords({ state, draining }: Pick<Workload, "state" | "draining">): string {
  if (draining === 0) return state;
  const connections = draining === 1 ? "connection" : "connections";
  return `${state}, ${formatCount(draining)} old plaintext ${connections} open`;
}

function headOf(flip: FlipValue): string {
  const { state, workloads } = flip;
  const open = openOf(workloads);
  const held = workloads.filter((each) => each.state === "held-back").length;
  const inForce = open.filter((each) => each.state === "in-force").length;
  switch (state) {
    case "editing":
      return flip.awaitsObject
        ? `nothing is strict yet: ${objectWords(flip)} is to say STRICT first`
        : `nothing is strict yet: ${objectWords(flip)} is being changed`;
    case "stage":
      return `${stageWords(flip)}: ${inForce} of ${open.length} workloads refuse plaintext`;
    case "watching":
      return `watched: ${inForce} of ${open.length} workloads refuse plaintext`;
    case "reverting":
      return `on the way back: ${held} of ${held + open.length} workloads take plaintext again`;
    default:
      return state;
  }
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
  ["meshed-failure", "callers of the mesh failed"],
  ["refused", "workloads were refused"],
]);

/** Why it was taken back, or does not count any more, with the names. */
export function causeWords({ cause, causeNames }: Pick<FlipValue, "cause" | "causeNames">): string {
  const why = causes.get(cause) ?? cause;
  return causeNames.length === 0 ? why : `${why}: ${firstOf(causeNames, 10)}`;
}
