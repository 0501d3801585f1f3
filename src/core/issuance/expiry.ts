/** When the end of an authority is an operator's business: long enough before it for a person, an offline root and a review. */

const DAY_MS = 86_400_000;

const EXPIRES_SOON_MS = 30 * DAY_MS;

export type Expiry = "later" | "soon" | "past";

/** RFC 5280 4.1.2.5: a certificate is good through its last second. @param notAfterMs as all times, Unix milliseconds */
export function judgeExpiry(notAfterMs: number, nowMs: number): Expiry {
  if (nowMs > notAfterMs) return "past";
  return notAfterMs - nowMs < EXPIRES_SOON_MS ? "soon" : "later";
}

/** @returns how much of its life a certificate has left: 1 before it begins, 0 when it has ended */
export function lifeLeftRatio(
  { notBeforeMs, notAfterMs }: { readonly notBeforeMs: number; readonly notAfterMs: number },
  nowMs: number,
): number {
  const ratio = (notAfterMs - nowMs) / (notAfterMs - notBeforeMs);
  return nowMs >= notAfterMs ? 0 : Math.min(1, ratio);
}
