/**
 * What time it is at least, by more than the wall clock's word: a clock that was set forward while the server was away would
 * end every certificate, and open every gate. The newest time that was good goes on by the monotonic clock; agents' clocks,
 * or an operator, prove a later one.
 */

import type { ClockReading } from "../log/log-clock.ts";

export interface ProvenTime {
  /** Unix ms. */
  readonly provenMs: number;
  /** When it was that time. */
  readonly monotonicMs: number;
}

/** What a connected agent's clock says: its word, so that one of them proves nothing against the others. */
export interface AgentClock {
  readonly spiffeId: string;
  /** The server's wall clock less the agent's; undefined where it has not said. */
  readonly skewMs: number | undefined;
}

/** @param agentsMs what agents' clocks say; it counts as far as the wall clock says so, too */
export function proveTime(
  known: ProvenTime,
  { wallMs, monotonicMs }: ClockReading,
  agentsMs: number | undefined,
): ProvenTime {
  const goneMs = known.provenMs + Math.max(0, monotonicMs - known.monotonicMs);
  const heardMs = Math.min(agentsMs ?? -Infinity, wallMs);
  return { provenMs: Math.max(goneMs, heardMs), monotonicMs };
}

/** What a gate goes by: never later than the wall clock. */
export function gateTimeMs({ provenMs }: ProvenTime, wallMs: number): number {
  return Math.min(provenMs, wallMs);
}

/**
 * The time that at least half of the identities have reached, each by at least half of its agents: a few clocks that are
 * wrong, or a workload that lies with many agents, do not carry the others along.
 */
export function agentsTimeMs(clocks: Iterable<AgentClock>, wallMs: number): number | undefined {
  const byIdentity = new Map<string, number[]>();
  for (const { spiffeId, skewMs } of clocks) {
    if (skewMs === undefined) continue;
    const known = byIdentity.get(spiffeId);
    if (known === undefined) byIdentity.set(spiffeId, [wallMs - skewMs]);
    else known.push(wallMs - skewMs);
  }
  return lowerMedian([...byIdentity.values()].flatMap((times) => lowerMedian(times) ?? []));
}

function lowerMedian(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length / 2) - 1];
}
