/**
 * Whether a flush of Envoy's counters goes on from the one before it, by a clock that nobody sets: of time that the wall clock has passed
 * over nobody has seen anything. Envoy's own age is no help: it goes by the wall clock. Pure.
 */

/** What clocks are set forward by while they are kept right. */
export const forwardMsMax = 2_000;
/** Flushes that were taken before the clock was set come after it for no longer. */
const beforeMs = 10_000;

export class ConnectionClock {
  /** From the monotonic clock to the wall clock: the least since it was last set forward. So many small steps count as one. */
  #offsetMs = Infinity;
  #isNextApart = false;
  /** Of the clock before it was set forward, and when that was seen; until a flush comes that was taken since. */
  #before: { readonly offsetMs: number; readonly seenMs: number } | undefined;

  /**
   * @param takenMs the flush, by the wall clock
   * @param wallMs now, and by the other clock `monotonicMs`
   * @returns whether the clock was set forward since the flush before
   */
  isApart(takenMs: number, wallMs: number, monotonicMs: number): boolean {
    const offsetMs = wallMs - monotonicMs;
    const isForward = offsetMs - this.#offsetMs > forwardMsMax;
    const isApart = isForward || this.#isNextApart;
    if (isForward) this.#before = { offsetMs: this.#offsetMs, seenMs: monotonicMs };
    this.#isNextApart = this.#isOfBefore(takenMs, monotonicMs);
    if (!this.#isNextApart) this.#before = undefined;
    this.#offsetMs = isForward ? offsetMs : Math.min(this.#offsetMs, offsetMs);
    return isApart;
  }

  /** It may have been taken before, and have come after; so may more that come at once. */
  #isOfBefore(takenMs: number, monotonicMs: number): boolean {
    if (this.#before === undefined) return false;
    const { offsetMs, seenMs } = this.#before;
    return monotonicMs - seenMs <= beforeMs && takenMs <= monotonicMs + offsetMs + forwardMsMax;
  }
}
