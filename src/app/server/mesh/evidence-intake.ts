/**
 * Which of a report's evidence counts. A sidecar's agent speaks for itself alone; a node agent for
 * the workloads whose tokens it has shown. Nothing else reaches the roll.
 */

import { PortcullisError } from "../../../core/error.ts";
import type { EvidenceReport, ProxyEvidence, Reporter } from "../../../core/roll/evidence.ts";
import type { NewNack } from "../../../core/roll/roll-entry.ts";
import { RollError } from "../../../core/roll/roll-limits.ts";
import type { Roll } from "../../../core/roll/roll.ts";
import type { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { SpokenFor } from "./spoken-for.ts";

export class EvidenceError extends PortcullisError<"evidence-foreign"> {
  override name = "EvidenceError";
}

export interface IntakeDependencies {
  readonly roll: Roll;
  readonly events: MeshEvents;
  readonly nowMs: () => number;
}

/** @throws EvidenceError, RollError, and changes nothing */
export function takeWorkloadReport(
  { roll, events, nowMs }: IntakeDependencies,
  reporter: Reporter,
  report: EvidenceReport,
): void {
  const proxies = report.proxies.map((proxy) => asOwn(reporter, proxy));
  logNacks(events, reporter, roll.report(reporter, { ...report, proxies }, nowMs()));
}

/**
 * What the stream does not speak for is dropped, and so is one workload's that is too much: the rest counts. One bad
 * workload must not silence its node. Of whom something was dropped is waited for.
 *
 * @returns of whom nothing was kept, because no token of theirs counts
 */
export function takeNodeReport(
  { roll, events, nowMs }: IntakeDependencies,
  reporter: Reporter,
  report: EvidenceReport,
  spokenFor: SpokenFor,
): string[] {
  const unproven: string[] = [];
  const now = nowMs();
  if (report.full) spokenFor.begin();
  roll.report(reporter, { ...report, proxies: [] }, now);
  for (const [spiffeId, proxies] of Map.groupBy(report.proxies, ({ spiffeId }) => spiffeId)) {
    if (spiffeId === undefined || !spokenFor.has(spiffeId, now)) {
      if (spiffeId !== undefined) {
        unproven.push(spiffeId);
        spokenFor.miss(spiffeId, "token");
      }
      if (spokenFor.isNews(spiffeId ?? "")) {
        events.evidenceDropped(reporter, spiffeId, proxies.length, "no token of it counts");
      }
      continue;
    }
    try {
      const part = { ...report, full: false, proxies, gone: [] };
      logNacks(events, reporter, roll.report(reporter, part, now));
      spokenFor.keep(spiffeId);
    } catch (error) {
      if (!(error instanceof RollError)) throw error;
      spokenFor.miss(spiffeId, "room");
      events.evidenceDropped(reporter, spiffeId, proxies.length, error.message);
    }
  }
  return unproven;
}

function asOwn({ spiffeId }: Reporter, proxy: ProxyEvidence): ProxyEvidence {
  const { spiffeId: claimed, ...own } = proxy;
  if (claimed === undefined || claimed === spiffeId) return own;
  throw new EvidenceError("evidence-foreign", `expected evidence of ${spiffeId}, got ${claimed}'s`);
}

function logNacks(events: MeshEvents, reporter: Reporter, nacks: readonly NewNack[]): void {
  for (const nack of nacks) events.secretRefused(reporter, nack);
}
