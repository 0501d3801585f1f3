/** What counts of a report of connections: of whom the stream speaks for, as far as there is room and its clock is right. */

import type { ConnectionReport, ProxyConnections } from "../../../core/evidence/connection.ts";
import type { ReportedProxy } from "../../../edge/evidence/evidence-change.ts";
import type { UncountedReason } from "../../../edge/telemetry/evidence-events.ts";
import { withinTime, type ReportTimes } from "./report-times.ts";

export interface CountedReport {
  readonly proxies: readonly ReportedProxy[];
  /** SPIFFE IDs. */
  readonly unproven: ReadonlySet<string>;
  /** Rows. */
  readonly uncounted: ReadonlyMap<UncountedReason, number>;
}

export interface ReportViews {
  /** Whose it is; undefined where no token of it counts. Throws where that is nobody that the stream may speak of. */
  readonly ownerOf: (proxy: ProxyConnections) => string | undefined;
  /** Key of a proxy; undefined where there is no room for it. */
  readonly keyOf: (spiffeId: string, proxyId: string) => string | undefined;
  readonly times: ReportTimes;
}

/** @throws what `ownerOf` throws, and nobody was asked for anything else */
export function countedReport(
  report: ConnectionReport,
  { ownerOf, keyOf, times }: ReportViews,
): CountedReport {
  const told = report.proxies.map((proxy) => ({ proxy, owner: ownerOf(proxy) }));
  const proxies: ReportedProxy[] = [];
  const unproven = new Set<string>();
  const uncounted = new Map<UncountedReason, number>();
  const drop = (reason: UncountedReason, rows: number): void => {
    if (rows > 0) uncounted.set(reason, (uncounted.get(reason) ?? 0) + rows);
  };
  for (const { proxy, owner } of told) {
    if (owner === undefined) {
      unproven.add(proxy.spiffeId ?? "");
      drop("unproven", rowsOf(proxy));
      continue;
    }
    const key = keyOf(owner, proxy.proxyId);
    if (key === undefined) {
      drop("no-room", rowsOf(proxy));
      continue;
    }
    const { epochMs, seen, coverage, ahead, old } = withinTime(proxy, times);
    drop("clock-ahead", ahead);
    drop("too-old", old);
    proxies.push({ proxy: key, epochMs, seen, coverage });
  }
  return { proxies, unproven, uncounted };
}

export function rowsOf({ seen, coverage }: Pick<ProxyConnections, "seen" | "coverage">): number {
  return seen.length + coverage.length;
}
