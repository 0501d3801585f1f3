/**
 * Until when a proxy has told whom it saw, on all of its ports. What it tells after a gap does not tell what was in it, so it has told
 * until the gap, however new the rest is.
 */

import {
  epochSlackMs,
  gapsIn,
  isBeforeListener,
  type Interval,
} from "../evidence/coverage-gaps.ts";
import { dueMs } from "../evidence/evidence-lag.ts";
import type { Member, MemberSpan } from "../evidence/member.ts";
import { endMs } from "./flip-causes.ts";
import { isOpenToAll, stagesOf, type Flip } from "./flip.ts";

export interface ToldSpan {
  /** Undefined: of one of its ports nothing. */
  readonly untilMs: number | undefined;
  /** It has told of later: what is missing before does not come any more. */
  readonly hasGap: boolean;
  /** Connections of the time that was asked for, to the hour, that its Envoy has counted, and of which nobody knows whose they were. */
  readonly lost: number;
}

/**
 * Of which time a flip asks a workload: since it is strict. Before that a verdict asks, up to some time ago. In the way of a stage is
 * nothing that is older than the look-back, so that no gap is for ever; at the end all of it counts.
 */
export function askedOf(flip: Flip, nowMs: number): (workload: string) => Interval {
  const { lookBackMs } = flip;
  const stageOf = stagesOf(flip);
  const toMs = endMs(flip);
  const unjudgedMs = dueMs(nowMs, lookBackMs);
  return (workload) => {
    const openedMs = stageOf(workload)?.openedMs;
    if (openedMs === undefined) return { fromMs: unjudgedMs, toMs };
    return { fromMs: isOpenToAll(flip) ? openedMs : Math.max(openedMs, nowMs - lookBackMs), toMs };
  };
}

/**
 * @param told of those of its ports that are asked for
 * @param fromMs what was before is not asked for; nor is what a proxy saw before it was there
 * @param toMs what was lost later is not asked for
 */
export function toldSpan(
  { bornMs, ports }: Pick<Member, "bornMs" | "ports">,
  told: readonly MemberSpan[],
  { fromMs, toMs }: Interval,
): ToldSpan {
  const spans = told.filter(({ sinceMs, untilMs }) => untilMs > sinceMs);
  const byPort = Map.groupBy(spans, ({ port }) => port);
  const sinceMs = Math.max(fromMs, bornMs + epochSlackMs);
  const all = (ports ?? [...byPort.keys()]).map((port) => {
    return portSpan(byPort.get(port) ?? [], spans, sinceMs);
  });
  const leastMs = Math.min(...all.map(({ untilMs }) => untilMs));
  const lossy = told.filter((each) => each.untilMs > fromMs && each.sinceMs < toMs);
  return {
    untilMs: all.length === 0 || leastMs === 0 ? undefined : leastMs,
    hasGap: all.some(({ hasGap }) => hasGap),
    lost: lossy.reduce((sum, each) => sum + each.lostUnmeshed + each.lostMeshed, 0),
  };
}

function portSpan(
  own: readonly MemberSpan[],
  all: readonly MemberSpan[],
  fromMs: number,
): { readonly untilMs: number; readonly hasGap: boolean } {
  const bornMs = Math.min(...own.map(({ sinceMs }) => sinceMs));
  const untilMs = Math.max(0, ...own.map((each) => each.untilMs));
  const gaps = untilMs > fromMs ? gapsIn({ fromMs, toMs: untilMs }, own) : [];
  const gap = gaps.find((each) => !isBeforeListener(bornMs, each, all));
  return { untilMs: gap?.fromMs ?? untilMs, hasGap: gap !== undefined };
}
