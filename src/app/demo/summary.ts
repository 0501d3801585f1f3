/** The verdict on a run, and how it is said. */

import type { WorkloadName } from "./fact.ts";
import { workloadNames } from "./fact.ts";
import type { Renewals } from "./ledger.ts";
import { controlPlaneStartMs, outageMs } from "./schedule.ts";
import { sumFailures, type TlsCounters } from "./tls-counters.ts";
import type { RequestFailure } from "./traffic.ts";

/** Moments are milliseconds since the start of the demo. */
export interface Summary {
  readonly seed: number;
  readonly elapsedMs: number;
  readonly requests: {
    readonly sent: number;
    readonly failed: number;
    readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  };
  /** The demo's own connections to the server's Envoy. */
  readonly probes: { readonly sent: number; readonly failed: number };
  /** The first ones, of both. */
  readonly failures: readonly RequestFailure[];
  readonly controlPlane: { readonly killedAtMs: number; readonly awayMs: number };
  readonly agent: {
    readonly workload: WorkloadName;
    readonly killedAtMs: number;
    readonly awayMs: number;
  };
  readonly certificatesSigned: number;
  readonly envoys: Readonly<Record<WorkloadName, EnvoySummary>>;
  /** One for each renewal of the server. */
  readonly signToFirstHandshakeMs: readonly number[];
}

export interface EnvoySummary {
  readonly renewals: Renewals;
  readonly nacks: number;
  readonly tls: TlsCounters;
}

const renewalsMin = 2;
const awayMsMin = outageMs - controlPlaneStartMs;

/** @returns what does not hold; empty if the demo has shown what it promises */
export function unmetConditions(summary: Summary): readonly string[] {
  const { requests, probes, envoys, controlPlane } = summary;
  const conditions: (readonly [boolean, string])[] = [
    [requests.sent > 0, "expected requests, got none"],
    [requests.failed === 0, `${requests.failed} of ${requests.sent} requests failed`],
    [probes.failed === 0, `${probes.failed} of ${probes.sent} direct connections failed`],
    [
      envoys.server.tls.handshakes >= requests.sent + probes.sent,
      `expected ${requests.sent + probes.sent} handshakes or more at the server's Envoy, ` +
        `got ${envoys.server.tls.handshakes}`,
    ],
    [
      controlPlane.awayMs >= awayMsMin,
      `expected the control plane to be away for ${awayMsMin} ms, got ${controlPlane.awayMs}`,
    ],
    ...workloadNames.flatMap((name) => envoyConditions(name, envoys[name])),
  ];
  return conditions.flatMap(([holds, complaint]) => (holds ? [] : [complaint]));
}

function envoyConditions(
  name: WorkloadName,
  { renewals, nacks, tls }: EnvoySummary,
): (readonly [boolean, string])[] {
  const envoy = `the ${name}'s Envoy`;
  const complaint = (what: string, count: number): string =>
    `expected ${envoy} to have ${what} ${renewalsMin} renewals or more, got ${count}`;
  return [
    [renewals.acked >= renewalsMin, complaint("ACKed", renewals.acked)],
    [renewals.used >= renewalsMin, complaint("used", renewals.used)],
    [nacks === 0, `${envoy} refused ${nacks} secrets`],
    [sumFailures(tls) === 0, `${envoy} counted ${sumFailures(tls)} failed handshakes`],
    [tls.resumed === 0, `${envoy} resumed ${tls.resumed} sessions instead of new handshakes`],
  ];
}
