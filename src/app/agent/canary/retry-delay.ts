/** When it is tried again what has failed: a listener, or to get the certificate to try it with. */

/** An Envoy that is busy may take so long after it has acknowledged. */
const firstRetryMs = 500;
const retryMs = 5_000;
const retryMsMax = 60_000;

/** Of a proxy. @param failures before this one. @param random in [0, 1) */
export function retryDelayMs(failures: number, random: number): number {
  return failures === 0 ? firstRetryMs : backOffMs(failures - 1, random);
}

/** Doubles from 5 s to a minute, with jitter in the upper quarter. */
export function backOffMs(failures: number, random: number): number {
  const delayMs = Math.min(retryMs * 2 ** Math.min(failures, 10), retryMsMax);
  return Math.round(delayMs * (0.75 + 0.25 * random));
}
