/**
 * The pause before a watch is tried again. After an outage it ends as soon as the API server answers again: the longer that was away, the
 * longer the pauses have become, and the more callers wait for reviews meanwhile.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { isAbsence, type KubeError } from "../kube-error.ts";

export interface RetryPause {
  readonly ms: number;
  readonly failure: Pick<KubeError, "code">;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** When the last question began that the API server answered. */
  readonly aliveMs?: (() => number | undefined) | undefined;
  /** Ends it, and it does not throw. */
  readonly signal: AbortSignal;
}

/** One question each second and a second for each: whoever answered later than that lives, and the failure is of something else. */
const silentMs = 3_000;
const lookMs = 250;

export async function pauseForRetry(pause: RetryPause): Promise<void> {
  const { ms, nowMs, aliveMs, signal } = pause;
  const beganMs = nowMs();
  const stepMs = isOfAbsence(pause, beganMs) ? lookMs : ms;
  for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs -= stepMs) {
    await sleep(Math.min(stepMs, leftMs), undefined, { signal }).catch(() => {});
    if (stepMs < ms && (aliveMs?.() ?? beganMs) > beganMs) return;
  }
}

function isOfAbsence({ failure, aliveMs }: RetryPause, beganMs: number): boolean {
  if (!isAbsence(failure)) return false;
  const lastMs = aliveMs?.();
  return lastMs !== undefined && beganMs - lastMs > silentMs;
}
