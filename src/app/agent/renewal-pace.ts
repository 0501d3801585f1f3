/**
 * How long an agent waits before it asks again for a certificate. A server that was away may be back at any moment, so the
 * last seconds of a certificate are used; one that has judged the caller does not change its mind within them.
 */

import { decideRetryMs } from "../../core/issuance/renewal.ts";

/** As though so much was left, and so after at most 2 s as long as a certificate is held. */
const judgedRemainingMs = 40_000;

/**
 * @param attempt 0 for the first retry
 * @param remainingMs of the certificate in hand; undefined without one
 * @param isJudged whether the server has looked at what the agent came with, and said no
 * @param random in [0, 1)
 */
export function decidePaceMs(
  attempt: number,
  remainingMs: number | undefined,
  isJudged: boolean,
  random: number,
): number {
  const isHeld = remainingMs !== undefined && remainingMs > 0;
  const leftMs = isJudged && isHeld ? Math.max(remainingMs, judgedRemainingMs) : remainingMs;
  return decideRetryMs(attempt, leftMs, random);
}
