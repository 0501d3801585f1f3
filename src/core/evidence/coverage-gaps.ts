/**
 * For which time nobody can answer: what is missing of the time that spans are to cover. Pure sets of moments, so that one span more
 * never makes a gap.
 */

import type { MemberSpan } from "./member.ts";

/** From the first moment to the last; never empty. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * An Envoy that ends has said nothing since its last flush, which was at most a second before, or a few where its host is busy; and
 * one that begins says nothing before its first. So this much counts as covered before the first span of each life of an Envoy, and at
 * both ends of a proxy's: an Envoy that restarts is no gap. Of a longer silence nobody knows whether there was no Envoy, or no agent.
 */
export const epochSlackMs = 5_000;

/** @param spans of one port of one member, in any order */
export function gapsIn(wanted: Interval, spans: readonly MemberSpan[]): Interval[] {
  const gaps: Interval[] = [];
  let coveredMs = wanted.fromMs;
  for (const { fromMs, toMs } of covered(spans)) {
    if (fromMs >= wanted.toMs) break;
    if (fromMs > coveredMs) gaps.push({ fromMs: coveredMs, toMs: fromMs });
    coveredMs = Math.max(coveredMs, toMs);
  }
  if (coveredMs < wanted.toMs) gaps.push({ fromMs: coveredMs, toMs: wanted.toMs });
  return gaps;
}

/**
 * A listener came while the proxy's others were told of: nobody could call it before.
 * @param bornMs when it was told of first @param told of all of the proxy's ports
 */
export function isBeforeListener(
  bornMs: number,
  gap: Interval,
  told: readonly MemberSpan[],
): boolean {
  return bornMs >= gap.toMs && gapsIn(gap, told).length === 0;
}

/** By their beginnings. */
function covered(spans: readonly MemberSpan[]): Interval[] {
  const begun = new Map<number, number>();
  for (const { epochMs, sinceMs } of spans) {
    begun.set(epochMs, Math.min(begun.get(epochMs) ?? Infinity, sinceMs));
  }
  const all = spans.map(({ epochMs, sinceMs, untilMs }) => {
    // One that is only the first of what was asked for does not begin with its Envoy.
    const isFirst = begun.get(epochMs) === sinceMs && sinceMs <= epochMs + epochSlackMs;
    return { fromMs: isFirst ? sinceMs - epochSlackMs : sinceMs, toMs: untilMs };
  });
  return all.toSorted((a, b) => a.fromMs - b.fromMs);
}
