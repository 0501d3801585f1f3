/**
 * Times of a report, by an agent's clock. Of one that is ahead no span counts: it would cover what nobody has seen yet. What it has seen
 * was seen by now. What is older than is kept is forgotten at once.
 */

import type {
  PortCoverage,
  ProxyConnections,
  SeenConnections,
} from "../../../core/evidence/connection.ts";

export interface ReportTimes {
  readonly oldestMs: number;
  readonly nowMs: number;
}

export interface TimedConnections extends Pick<ProxyConnections, "epochMs" | "seen" | "coverage"> {
  /** Rows of a clock that is ahead. */
  readonly ahead: number;
  /** Rows that are too old. */
  readonly old: number;
}

/** Clocks differ. */
const aheadMsMax = 60_000;

export function withinTime(
  { epochMs, seen, coverage }: ProxyConnections,
  { oldestMs, nowMs }: ReportTimes,
): TimedConnections {
  const newestMs = nowMs + aheadMsMax;
  const isRight =
    epochMs <= newestMs && seen.every(isWithin) && coverage.every((each) => isCovered(each));
  if (isRight) return { epochMs, seen, coverage, ahead: 0, old: 0 };
  const kept = seen.filter(({ lastMs }) => lastMs >= oldestMs);
  const spans = coverage.filter(({ untilMs }) => untilMs >= oldestMs);
  const known = spans.filter(({ untilMs }) => untilMs <= newestMs);
  const ahead = kept.filter(({ lastMs }) => lastMs > newestMs).length;
  return {
    epochMs: Math.min(epochMs, nowMs),
    seen: kept.map((each) => (isWithin(each) ? each : clamped(each))),
    coverage: known.map((each) => ({ ...each, sinceMs: Math.max(each.sinceMs, oldestMs) })),
    ahead: ahead + spans.length - known.length,
    old: seen.length - kept.length + coverage.length - spans.length,
  };

  function isWithin({ firstMs, lastMs }: SeenConnections): boolean {
    return firstMs >= oldestMs && lastMs <= newestMs;
  }

  function isCovered({ sinceMs, untilMs }: PortCoverage): boolean {
    return sinceMs >= oldestMs && untilMs <= newestMs;
  }

  function clamped(each: SeenConnections): SeenConnections {
    const lastMs = each.lastMs > newestMs ? nowMs : each.lastMs;
    const firstMs = Math.min(Math.max(each.firstMs, oldestMs), lastMs);
    return { ...each, firstMs, lastMs };
  }
}
