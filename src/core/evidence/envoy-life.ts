/** Lives of an Envoy: what tells them apart when nobody has seen its end. */

import type { CountsFlush } from "./connection-counts.ts";

export interface EnvoyLife {
  /** When it began: whole seconds are all that Envoy says of it, so another agent may reckon a second more or less. */
  readonly epochMs: number;
  /** The first flush. */
  readonly beginMs: number;
  /** From when on a port is answered for that nobody without mTLS has called by now. */
  sinceMs: number;
  /** The last flush. */
  takenMs: number;
  uptimeSeconds: number;
}

/** A flush each second, and what a busy host makes of it. */
const cadenceSeconds = 3;
const jitterSeconds = 2;

export function newLife({ takenMs, uptimeSeconds, removedListeners }: CountsFlush): EnvoyLife {
  const epochMs = takenMs - uptimeSeconds * 1_000;
  // Counters of a listener go with it: of what they had counted nobody knows.
  const sinceMs = removedListeners === 0 ? epochMs : takenMs;
  return { epochMs, beginMs: takenMs, sinceMs, takenMs, uptimeSeconds };
}

/**
 * Envoy's age goes by the wall clock: where that is set, when it began stays the same. An Envoy that was started again begins at 0, and later
 * than the last flush.
 * @param isOtherStream it comes on another stream than the last flush: whoever is so young then was started again, as one that ends in its
 * first seconds is, time and again
 */
export function isSameLife(
  life: EnvoyLife,
  { takenMs, uptimeSeconds }: CountsFlush,
  isOtherStream: boolean,
): boolean {
  if (isOtherStream && uptimeSeconds <= cadenceSeconds) return false;
  const upSeconds = uptimeSeconds - life.uptimeSeconds;
  if (upSeconds < 0) {
    const epochMs = takenMs - uptimeSeconds * 1_000;
    return takenMs < life.takenMs && Math.abs(epochMs - life.epochMs) <= jitterSeconds * 1_000;
  }
  if (upSeconds <= cadenceSeconds) return true;
  return (takenMs - life.takenMs) / 1_000 - upSeconds <= jitterSeconds;
}
