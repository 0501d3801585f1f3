/** Lives of an Envoy: what tells them apart when nobody has seen its end. */

import type { CountsFlush } from "./connection-counts.ts";

export interface EnvoyLife {
  /** When it began: whole seconds are all that Envoy says of it, so another agent may reckon a second more or less. */
  readonly epochMs: number;
  /** The first flush. */
  readonly beginMs: number;
  /** No listener was gone by then, with its counters. */
  readonly isWhole: boolean;
  /** The last flush. */
  takenMs: number;
  uptimeSeconds: number;
}

/** A flush each second, and what a busy host makes of it. */
const cadenceSeconds = 3;
const jitterSeconds = 2;

/** A clock that is set goes on as fast as before; an Envoy that was started again begins at 0. */
export function isSameLife(life: EnvoyLife, { takenMs, uptimeSeconds }: CountsFlush): boolean {
  const upSeconds = uptimeSeconds - life.uptimeSeconds;
  if (upSeconds < 0) return false;
  if (upSeconds <= cadenceSeconds) return true;
  return (takenMs - life.takenMs) / 1_000 - upSeconds <= jitterSeconds;
}
