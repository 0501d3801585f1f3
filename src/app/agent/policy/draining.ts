/**
 * Which plaintext connections are still open on ports that take none any more, out of Envoy's flushes. Pure.
 *
 * When a port has stopped taking plaintext, Envoy's workers alone know: each is told a moment after the acknowledgement. So a count is
 * proof only if its flush began after they were told. A flush asks each worker for what it has, behind all else that the worker was
 * told before; and that they were told says the flush before it, if that was taken after the acknowledgement with no listener warming
 * any more. Hence two flushes, and the count of the second. What the first one counts is open for certain, so it is told as well.
 */

import { openConnectionsStat } from "../../../core/envoy/chain-stats.ts";
import { inboundChains } from "../../../core/envoy/inbound-chains.ts";

export interface Flush {
  /** By Envoy's clock, which is the agent's. */
  readonly takenMs: number;
  readonly stats: ReadonlyMap<string, number>;
}

/** The newest of one Envoy, and the one before it. */
export interface Flushes {
  readonly before: Flush | undefined;
  readonly newest: Flush;
}

export interface Draining {
  /** By port; none where it is 0. */
  readonly open: ReadonlyMap<number, number>;
  /** Nothing is open, and nothing can come: the modes that were acknowledged are in force. */
  readonly isProven: boolean;
}

const warmingStat = "listener_manager.total_listeners_warming";

/** @param refusing ports that take no plaintext, each with the time (ms) of the acknowledgement */
export function drainingOf(
  { before, newest }: Flushes,
  refusing: ReadonlyMap<number, number>,
): Draining {
  const counts = Array.from(refusing.keys(), (port) => [port, openOn(newest, port)] as const);
  const open = new Map(counts.filter(([, count]) => count > 0));
  const toldMs = before?.stats.get(warmingStat) === 0 ? before.takenMs : -Infinity;
  const areTold = [...refusing.values()].every((ackedMs) => ackedMs < toldMs);
  return { open, isProven: areTold && open.size === 0 };
}

/** Of all that a port may have: those for plaintext, and for TLS that is not the mesh's. */
const plaintextChains = inboundChains("permissive", "auto").filter(({ endsTls }) => !endsTls);

function openOn({ stats }: Flush, port: number): number {
  const counts = plaintextChains.map((chain) => stats.get(openConnectionsStat(port, chain)) ?? 0);
  return counts.reduce((sum, count) => sum + Math.max(0, Math.trunc(count)), 0);
}
