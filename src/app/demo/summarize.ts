/** From what was counted to what is judged. */

import type { WorkloadName } from "./fact.ts";
import type { Ledger } from "./ledger.ts";
import type { Outcome } from "./scenario.ts";
import type { EnvoySummary, Summary } from "./summary.ts";
import type { Traffic } from "./traffic.ts";

/** Unix milliseconds. */
export interface Run {
  readonly seed: number;
  readonly startedMs: number;
  readonly endedMs: number;
  /** Whose agent was killed. */
  readonly agent: WorkloadName;
}

export function summarize(
  { seed, startedMs, endedMs, agent }: Run,
  outcome: Outcome,
  traffic: Traffic,
  ledger: Ledger,
): Summary {
  const { probe, controlPlane } = outcome;
  const since = (atMs: number): number => atMs - startedMs;
  const envoy = (name: WorkloadName): EnvoySummary => ({
    renewals: ledger.renewals(name),
    nacks: ledger.nacks(name),
    tls: outcome.tls[name],
  });
  const latency = (share: number): number => traffic.latencyMs(share) ?? 0;
  return {
    seed,
    elapsedMs: since(endedMs),
    requests: {
      sent: traffic.sent,
      failed: traffic.failed,
      latencyMs: { p50: latency(0.5), p99: latency(0.99), max: latency(1) },
    },
    probes: { sent: probe.sent, failed: probe.failed },
    failures: [...traffic.failures, ...probe.failures]
      .map(({ atMs, reason }) => ({ atMs: since(atMs), reason }))
      .toSorted((a, b) => a.atMs - b.atMs),
    controlPlane: { ...controlPlane, killedAtMs: since(controlPlane.killedAtMs) },
    agent: { ...outcome.agent, workload: agent, killedAtMs: since(outcome.agent.killedAtMs) },
    certificatesSigned: ledger.signedCount,
    envoys: { client: envoy("client"), server: envoy("server") },
    signToFirstHandshakeMs: ledger.signToFirstHandshakeMs,
  };
}
