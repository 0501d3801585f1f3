/**
 * Whether a target can go strict: SAFE, UNSAFE, with the callers that would be refused, or UNKNOWN, with the proxies whose evidence is
 * missing. UNSAFE stands above UNKNOWN, and UNKNOWN above SAFE; what is waived does not count, and is shown.
 */

import type { Holder } from "./address-history.ts";
import type { Caller } from "./caller.ts";
import { callersOf, type BrokenCall } from "./callers.ts";
import { dueMs } from "./evidence-lag.ts";
import { isAsked, wasThere, type Member, type MemberSeen, type MemberSpan } from "./member.ts";
import { silentOf, type Silent } from "./silent.ts";

export interface VerdictInput {
  /** As the operator names it. */
  readonly target: string;
  readonly nowMs: number;
  readonly lookBackMs: number;
  /** Of the target; undefined: all. */
  readonly ports: readonly number[] | undefined;
  /** All that there were since the look-back began. */
  readonly members: readonly Member[];
  /** There are none, because all of the target only call: there is nobody who could refuse, and nobody is missing. */
  readonly onlyCalls?: boolean | undefined;
  /** Where others of the target are not asked for: when the first of all was there. */
  readonly firstBornMs?: number | undefined;
  /** When the evidence was begun anew, because what there was could not be read. */
  readonly anewMs?: number | undefined;
  /** Of these members, each key once. */
  readonly seen: Iterable<MemberSeen>;
  /** Of these members, joined or not. */
  readonly spans: readonly MemberSpan[];
  readonly holderOf: (address: string, firstMs: number, lastMs: number) => Holder;
  /** Names of callers and of silent ones. */
  readonly waived: ReadonlySet<string>;
  /** Calls that the configuration, as it is to be, breaks. */
  readonly brokenCalls: readonly BrokenCall[];
  /** What is newer than this may still be on its way. */
  readonly lagMs: number;
}

export interface Verdict {
  readonly kind: "safe" | "unsafe" | "unknown";
  readonly callers: readonly Caller[];
  readonly silent: readonly Silent[];
  readonly coverage: VerdictCoverage;
  /** Those that are about somebody here. */
  readonly waivedNames: readonly string[];
}

/** Of such a target nothing is missing: it has workloads, and none takes calls. */
export function takesNoCalls({
  kind,
  silent,
  coverage,
}: Pick<Verdict, "kind" | "silent" | "coverage">): boolean {
  return kind === "safe" && silent.length === 0 && coverage.members === 0;
}

export interface VerdictCoverage {
  readonly fromMs: number;
  /** Until then all proxies that are there have told; at most `fromMs` where one has told nothing. */
  readonly toMs: number;
  /** Proxies that were there at any time of it, by name: one may have had several lives. */
  readonly members: number;
  readonly connections: { readonly mtls: number; readonly unmeshed: number };
  /** With mTLS, as their agents told last: one that is open is not among those that were seen to end. */
  readonly openMtls: number;
  /** Connections that Envoy has counted and not told; those with mTLS decide nothing. */
  readonly lost: { readonly mtls: number; readonly unmeshed: number };
}

/** Clocks differ. */
const aheadMsMax = 60_000;

export function verdictOf(asked: VerdictInput): Verdict {
  const { nowMs, lookBackMs, ports } = asked;
  // Of time that has not come nobody has told: a clock was ahead, and was set back.
  const spans = asked.spans.filter(({ untilMs }) => untilMs <= nowMs + aheadMsMax);
  const input = { ...asked, spans };
  const fromMs = nowMs - lookBackMs;
  const { callers, connections } = callersOf({ ...input, fromMs });
  const silent = silentOf({ ...input, fromMs, dueMs: dueMs(nowMs, lookBackMs, input.lagMs) });
  const waivedNames = [...callers, ...silent].filter(({ isWaived }) => isWaived);
  const told = spans.filter(({ port, untilMs }) => untilMs >= fromMs && isAsked(ports, port));
  return {
    kind: kindOf(callers, silent),
    callers,
    silent,
    coverage: {
      fromMs,
      toMs: toldUntil(input),
      members: new Set(input.members.filter((each) => wasThere(each, fromMs)).map(nameOf)).size,
      connections,
      openMtls: openOf(input.members, told),
      lost: {
        mtls: sum(told.map(({ lostMeshed }) => lostMeshed)),
        unmeshed: sum(told.map(({ lostUnmeshed }) => lostUnmeshed)),
      },
    },
    waivedNames: [...new Set(waivedNames.map(({ name }) => name))].toSorted(),
  };
}

function kindOf(callers: readonly Caller[], silent: readonly Silent[]): Verdict["kind"] {
  if (callers.some(({ isWaived }) => !isWaived)) return "unsafe";
  return silent.some(({ isWaived }) => !isWaived) ? "unknown" : "safe";
}

/** By the newest word of each port of those that are there. */
function openOf(members: readonly Member[], told: readonly MemberSpan[]): number {
  const there = new Set(members.filter(({ goneMs }) => goneMs === undefined).map(keyOf));
  const newest = new Map<string, MemberSpan>();
  for (const span of told) {
    if (!there.has(span.member)) continue;
    const key = `${span.port} ${span.member}`;
    if (span.untilMs >= (newest.get(key)?.untilMs ?? -Infinity)) newest.set(key, span);
  }
  return sum(Array.from(newest.values(), ({ openMeshed = 0 }) => openMeshed));
}

function toldUntil({ members, spans, nowMs, lookBackMs }: VerdictInput): number {
  const until = new Map<string, number>();
  for (const { member, untilMs } of spans) {
    until.set(member, Math.max(until.get(member) ?? 0, untilMs));
  }
  const there = members.filter(({ goneMs }) => goneMs === undefined);
  return Math.min(nowMs, ...there.map(({ key }) => until.get(key) ?? nowMs - lookBackMs));
}

function keyOf({ key }: Member): string {
  return key;
}

function nameOf({ name }: Member): string {
  return name;
}

function sum(all: readonly number[]): number {
  return all.reduce((total, each) => total + each, 0);
}
