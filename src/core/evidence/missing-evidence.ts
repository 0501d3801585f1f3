/** What is missing of the evidence of a proxy: time of which it told nothing, and connections of which it knows nothing. */

import { epochSlackMs, gapsIn, isBeforeListener } from "./coverage-gaps.ts";
import { isAsked, type Absence, type Member, type MemberSpan } from "./member.ts";

type MissingReason =
  /** Nothing can be heard of the proxy now, however new its evidence is: a call of this moment would be told by nobody. */
  | Absence
  /** The target has no proxy. */
  | "nobody"
  /** The target, or a port of a proxy, has not been there for all of the time. */
  | "too-young"
  /** What was known of before was set aside, as its file could not be read. */
  | "set-aside"
  /** Nothing was ever told of the proxy. */
  | "never-reported"
  /** The proxy tells, and does not listen there: what comes to that port does not pass it. */
  | "no-listener"
  /** It told before and after, and not of the time between. */
  | "gap"
  /** It tells no more. */
  | "late"
  /** By Envoy's counters there were connections without mTLS of which it has not told. */
  | "lost"
  /** Connections without mTLS are open, or were when Envoy ended, of which nobody knows whose they are. */
  | "unnamed-open";

export interface MissingEvidence {
  readonly reason: MissingReason;
  /** Sorted; empty: all. */
  readonly ports: readonly number[];
  readonly sinceMs: number;
  /** Undefined: it goes on. */
  readonly untilMs: number | undefined;
  /** How many are lost, or open. */
  readonly connections: number;
}

export interface AskedEvidence {
  readonly fromMs: number;
  /** What is newer may still be on its way. */
  readonly dueMs: number;
  /** Undefined: all. */
  readonly ports: readonly number[] | undefined;
}

/** What it has told of, and told that it does not know. */
export function missed(
  told: readonly MemberSpan[],
  { ports, fromMs }: AskedEvidence,
): MissingEvidence[] {
  const asked = told.filter(({ port, untilMs }) => untilMs >= fromMs && isAsked(ports, port));
  const lost = asked.filter(({ lostUnmeshed }) => lostUnmeshed > 0);
  const open = lastOfEpochs(asked).filter(({ openUnnamed }) => openUnnamed > 0);
  return [
    ...lost.map(({ port, sinceMs, untilMs, lostUnmeshed }) =>
      missing("lost", [port], sinceMs, untilMs, lostUnmeshed),
    ),
    ...open.map(({ port, untilMs, openUnnamed }) =>
      missing("unnamed-open", [port], untilMs, undefined, openUnnamed),
    ),
  ];
}

/** A source that was not known when a life of an Envoy ended is never known. */
function lastOfEpochs(spans: readonly MemberSpan[]): MemberSpan[] {
  const last = new Map<string, MemberSpan>();
  for (const span of spans) {
    const key = `${span.port} ${span.epochMs}`;
    const there = last.get(key);
    const isLater = there === undefined || span.untilMs > there.untilMs;
    const isWorse = span.untilMs === there?.untilMs && span.openUnnamed > there.openUnnamed;
    if (isLater || isWorse) last.set(key, span);
  }
  return [...last.values()];
}

/** For which time it has told nothing. Of one that is absent, that it goes on is told once. */
export function untold(
  member: Member,
  told: readonly MemberSpan[],
  asked: AskedEvidence,
): MissingEvidence[] {
  const { absence, absentUntilMs, goneMs, bornMs } = member;
  const times = untoldTimes(member, told, asked);
  if (absence === undefined || goneMs !== undefined) return times;
  const heardMs = told.length === 0 ? [bornMs] : told.map(({ untilMs }) => untilMs);
  const sinceMs = Math.max(asked.fromMs, ...heardMs);
  const rest = times.filter(({ reason }) => reason !== "late" && reason !== "never-reported");
  return [missing(absence, [], sinceMs, absentUntilMs), ...rest];
}

function untoldTimes(
  member: Member,
  told: readonly MemberSpan[],
  asked: AskedEvidence,
): MissingEvidence[] {
  const { fromMs, dueMs, ports } = asked;
  const goneMs = member.goneMs ?? Infinity;
  // Of one that is gone, and of whom nobody tells any more, nothing is on its way: what it saw last is missing at once, and for good.
  const toldMs = member.goneMs !== undefined && member.absence !== undefined ? Infinity : dueMs;
  const wanted = {
    fromMs: Math.max(fromMs, member.bornMs + epochSlackMs),
    toMs: Math.min(toldMs, goneMs - epochSlackMs),
  };
  const isDue = wanted.fromMs < wanted.toMs;
  if (told.length === 0 && member.hasTold !== true) {
    if (!isDue) return [];
    // Of one that is gone nothing comes any more, and it may have told before.
    const reason = member.goneMs === undefined ? "never-reported" : "gap";
    return [missing(reason, [], wanted.fromMs, member.goneMs)];
  }
  const byPort = Map.groupBy(told, ({ port }) => port);
  const listened = member.ports?.filter((port) => isAsked(ports, port)) ?? ports;
  const due = listened ?? [...byPort.keys()];
  if (due.length === 0 && member.hasTold === true && ports === undefined) return [];
  if (due.length === 0) return isDue ? [missing("no-listener", [], wanted.fromMs, undefined)] : [];
  return due.flatMap((port) => {
    const spans = byPort.get(port);
    if (spans === undefined)
      return isDue ? missing("no-listener", [port], wanted.fromMs, undefined) : [];
    const bornMs = Math.min(...spans.map(({ sinceMs }) => sinceMs));
    const lastMs = Math.max(...spans.map(({ untilMs }) => untilMs));
    // What is older than the newest that it has told is not on its way any more.
    const toMs = Math.max(wanted.toMs, Math.min(lastMs, goneMs - epochSlackMs));
    if (wanted.fromMs >= toMs) return [];
    return gapsIn({ ...wanted, toMs }, spans).map((gap) => {
      if (isBeforeListener(bornMs, gap, told))
        return missing("too-young", [port], bornMs, undefined);
      if (gap.toMs === dueMs && lastMs < dueMs)
        return missing("late", [port], gap.fromMs, undefined);
      return missing("gap", [port], gap.fromMs, gap.toMs);
    });
  });
}

export function missing(
  reason: MissingReason,
  ports: readonly number[],
  sinceMs: number,
  untilMs: number | undefined,
  connections = 0,
): MissingEvidence {
  return { reason, ports, sinceMs, untilMs, connections };
}
