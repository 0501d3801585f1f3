/** `mtls check --watch`: who comes and who goes, until somebody ends it. */

import type { ExitCode, Context } from "./command.ts";
import { formatCount, formatRelative } from "./format.ts";
import type { Progress, Waiting } from "./live-progress.ts";
import { verdictExit, verdictLine } from "./mtls-verdict-line.ts";
import { holderWords, kindWords } from "./mtls-verdict-words.ts";
import {
  inTheWay,
  type CallerValue,
  type SilentValue,
  type VerdictValue,
} from "./mtls-verdict-value.ts";
import { unlessAway, untilNextPoll } from "./poll.ts";
import { firstOf } from "./text.ts";

/** A week of evidence is read for each answer. */
const pollMs = 2_000;

export interface WatchOptions {
  /** What was shown already. */
  readonly first: VerdictValue;
  /** Whether the look-back is another than the server's. */
  readonly isAsked: boolean;
  readonly ask: () => Promise<VerdictValue>;
  readonly progress: Progress;
}

/** @returns by the last verdict */
export async function watchVerdict(
  context: Context,
  { first, isAsked, ask, progress }: WatchOptions,
): Promise<ExitCode> {
  let last = first;
  for (;;) {
    await untilNextPoll(context, pollMs);
    if (context.signal.aborted) break;
    const now = await unlessAway(ask(), context.signal);
    if (context.signal.aborted) break;
    if (now === undefined) {
      progress.away("what is said here is from before");
      continue;
    }
    const changes = changesBetween(last, now, isAsked);
    if (changes.length > 0 && !progress.event("verdict", now)) {
      for (const each of changes) progress.note("change", each);
    }
    if (!progress.isJson) progress.wait(waiting(now, isAsked));
    last = now;
  }
  progress.end();
  return verdictExit(last);
}

/** In words, the verdict first. */
function changesBetween(
  before: VerdictValue,
  after: VerdictValue,
  isAsked: boolean,
): readonly string[] {
  const [old, now] = [inTheWay(before), inTheWay(after)];
  const verdict = before.verdict === after.verdict ? [] : [verdictLine(after, isAsked)];
  const isPassed = ({ waived }: { readonly waived: boolean }): boolean => waived;
  const passed = new Set([...after.callers, ...after.silent].map(({ name }) => name));
  const gone = (name: string): string =>
    passed.has(name) ? `waived: ${name}` : `does not count any more: ${name}`;
  return [
    ...verdict,
    ...newOf(old.callers, now.callers, callerKey).map(callerWords),
    // Whoever is waived calls all the same.
    ...newOf(before.callers, after.callers.filter(isPassed), callerKey).map(callerWords),
    ...newOf(after.callers, before.callers.filter(isPassed), callerKey).map(
      ({ name }) => `was waived, and is past: ${name}`,
    ),
    ...newOf(now.callers, old.callers, callerKey).map(({ name }) => gone(name)),
    ...newOf(old.silent, now.silent, silentKey).map(
      ({ name, reason }) => `silent: ${name} (${reason})`,
    ),
    ...newOf(before.silent, after.silent.filter(isPassed), silentKey).map(
      ({ name, reason }) => `silent: ${name} (${reason}), waived`,
    ),
    ...newOf(now.silent, old.silent, silentKey).map(({ name, reason }) =>
      passed.has(name) ? `waived: ${name}` : `not silent any more: ${name} (${reason})`,
    ),
  ];
}

function newOf<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (value: T) => string,
): readonly T[] {
  const known = new Set(before.map(keyOf));
  return after.filter((each) => !known.has(keyOf(each)));
}

function callerKey({ name, kind, refused }: CallerValue): string {
  return `${kind} ${refused} ${name}`;
}

function silentKey({ name, reason }: SilentValue): string {
  return `${reason} ${name}`;
}

/** `caller: legacy/cron (workload without a proxy), plaintext, payments/api-0:8080` */
export function callerWords(caller: CallerValue): string {
  const says = caller.claim === "" ? [] : [`says ${JSON.stringify(caller.claim)}`];
  const waived = caller.waived ? ["waived"] : [];
  const called = firstOf(caller.called);
  const parts = [
    `${caller.name} (${holderWords(caller)})`,
    kindWords(caller),
    called,
    ...says,
    ...waived,
  ];
  return `caller: ${parts.filter((part) => part !== "").join(", ")}`;
}

const linesMax = 5;

function waiting(value: VerdictValue, isAsked: boolean): Waiting {
  const { callers, silent } = inTheWay(value);
  const waived = new Set(
    [...value.callers, ...value.silent].flatMap((each) => (each.waived ? [each.name] : [])),
  );
  const nowMs = Date.parse(value.now);
  const counts = [
    `${callers.length === 0 ? "no" : callers.length} caller${callers.length === 1 ? "" : "s"}`,
    `${silent.length === 0 ? "nobody" : silent.length} silent`,
    ...(waived.size === 0 ? [] : [`${waived.size} waived`]),
  ];
  const text = `${value.verdict.toUpperCase()}: ${counts.join(", ")}`;
  const latest = value.callers
    .filter(({ lastSeen }) => lastSeen !== "")
    .toSorted((a, b) => Date.parse(b.lastSeen) - Date.parse(a.lastSeen))
    .slice(0, linesMax)
    .map((each) => {
      const when = formatRelative(Date.parse(each.lastSeen), nowMs);
      const words = `${kindWords(each)}${each.waived ? ", waived" : ""}`;
      return `  ${when.padEnd(10)}  ${formatCount(each.count)}  ${each.name}  ${words}`;
    });
  return { text, time: "", lines: [verdictLine(value, isAsked), ...latest], fields: {} };
}
