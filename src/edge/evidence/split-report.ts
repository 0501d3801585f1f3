/** What is told of a proxy after its labels have changed tells also of the time before: that is parted where they changed. */

import type { PortCoverage, SeenConnections } from "../../core/evidence/connection.ts";
import type { ReportedProxy } from "./evidence-change.ts";

export type ToldOf = Pick<ReportedProxy, "seen" | "coverage">;

export function isToldBefore({ seen, coverage }: ToldOf, atMs: number): boolean {
  return (
    seen.some(({ firstMs }) => firstMs < atMs) || coverage.some(({ sinceMs }) => sinceMs < atMs)
  );
}

/** What lies on both sides, or was lost on either, is on both. */
export function splitAt(
  { seen, coverage }: ToldOf,
  atMs: number,
): { readonly before: ToldOf; readonly after: ToldOf } {
  const isAfter = (each: SeenConnections): boolean => each.lastMs >= atMs;
  const isCovered = ({ sinceMs, untilMs }: PortCoverage): boolean =>
    untilMs > atMs || sinceMs >= atMs;
  return {
    before: {
      seen: seen
        .filter(({ firstMs }) => firstMs < atMs)
        .map((each) => (isAfter(each) ? { ...each, lastMs: atMs } : each)),
      coverage: coverage
        .filter(({ sinceMs }) => sinceMs < atMs)
        .map((each) => ({ ...each, untilMs: Math.min(each.untilMs, atMs) })),
    },
    after: {
      seen: seen.filter(isAfter),
      coverage: coverage
        .filter(isCovered)
        .map((each) => ({ ...each, sinceMs: Math.max(each.sinceMs, atMs) })),
    },
  };
}
