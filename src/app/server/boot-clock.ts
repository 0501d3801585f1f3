/** A monotonic clock that counts suspension as well: `performance.now()` does not on Linux. */

import { uptime } from "node:os";

const lookIntervalMs = 100;
/** The uptime comes in steps of 10 ms. */
const toleranceMs = 1_000;

/** @returns a function that reads it, in ms from any origin */
export function bootClock(): () => number {
  const beganMs = uptime() * 1_000 - performance.now();
  let suspendedMs = 0;
  let lookAtMs = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs >= lookAtMs) {
      lookAtMs = nowMs + lookIntervalMs;
      const sinceMs = uptime() * 1_000 - nowMs - beganMs;
      if (sinceMs > suspendedMs + toleranceMs) suspendedMs = sinceMs;
    }
    return nowMs + suspendedMs;
  };
}
