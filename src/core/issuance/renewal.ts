/** When an agent asks for its next certificate, and when it asks again after a failure. */

/**
 * Half of the lifetime that was left at receipt, give or take a twentieth of it, so that workloads that started together
 * do not renew together.
 * @param random in [0, 1)
 */
export function decideRenewalMs(receivedAtMs: number, notAfterMs: number, random: number): number {
  const lifetimeMs = Math.max(0, notAfterMs - receivedAtMs);
  return Math.round(receivedAtMs + lifetimeMs * (0.475 + 0.05 * random));
}

const firstRetryMs = 200;
const longestRetryMs = 30_000;

/**
 * Doubles from 200 ms to 30 s with full jitter in the upper half. It is cut at a twentieth of what
 * the certificate has left, so that a short-lived one gets its chances before it ends; but in its
 * last seconds the first delay stays, lest a mesh that is about to lose its certificates storms
 * its CA.
 * @param attempt 0 for the first retry
 * @param remainingMs of the certificate in hand; undefined without one
 */
export function decideRetryMs(
  attempt: number,
  remainingMs: number | undefined,
  random: number,
): number {
  const backoffMs = Math.min(firstRetryMs * 2 ** Math.min(attempt, 20), longestRetryMs);
  const shareMs = remainingMs === undefined || remainingMs <= 0 ? Infinity : remainingMs / 20;
  const delayMs = Math.max(firstRetryMs, Math.min(backoffMs, shareMs));
  return Math.round(delayMs * (0.5 + 0.5 * random));
}
