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

const withheldMs = { min: 1_000, max: 30_000 } as const;

/**
 * How long an agent waits that has a certificate which is not served any more, for its root was taken away. A whole mesh has the
 * same reason at the same moment, and the server asks so many a second that it can answer: it has its turn first. This is for
 * whom it cannot ask, whose stream the new root does not let through.
 * @param random in [0, 1)
 */
export function decideWithheldMs(random: number): number {
  return Math.round(withheldMs.min + random * (withheldMs.max - withheldMs.min));
}
