/**
 * A token bucket, kept as what was taken from it and has not come back yet. So an empty value is a full bucket, and
 * one that is forgotten while it is full is not missed. Time comes in from outside and should be monotonic.
 */

/** Both positive and finite; a burst of 1 at least, or nobody is ever let in. */
export interface RateLimit {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** Refused callers are told to come back one by one, at the rate; those behind this many ms of others, at random. */
const lineMsMax = 60_000;

/** In tokens: what floating point may lose between the time that was named and the token. */
const tolerance = 1e-9;

export class RateBucket {
  #missing = 0;
  #atMs = Number.NEGATIVE_INFINITY;
  /** The next caller that is refused is told to come then at the earliest. */
  #lineEndMs = Number.NEGATIVE_INFINITY;

  /** @returns 0 where a token can be taken now */
  waitMs(limit: RateLimit, nowMs: number): number {
    this.#refill(limit, nowMs);
    const lacking = this.#missing + 1 - limit.burst;
    return lacking <= tolerance ? 0 : (lacking * 1_000) / limit.ratePerSecond;
  }

  /** @returns 0 for a full bucket */
  fullInMs(limit: RateLimit, nowMs: number): number {
    this.#refill(limit, nowMs);
    return (this.#missing * 1_000) / limit.ratePerSecond;
  }

  /** To be asked with `waitMs` first. */
  take(limit: RateLimit, nowMs: number): void {
    this.#refill(limit, nowMs);
    this.#missing += 1;
  }

  /** Takes a new limit for an old one. What was taken stays taken, within the new burst. */
  change(before: RateLimit, after: RateLimit, nowMs: number): void {
    this.#refill(before, nowMs);
    this.#missing = Math.min(this.#missing, after.burst);
  }

  /**
   * When a refused caller should come back: each one a place later than the one before it.
   * @param waitMs until there is a token
   * @param random in [0, 1)
   * @returns whole ms, at least 1
   */
  queueUpMs(limit: RateLimit, waitMs: number, nowMs: number, random: number): number {
    const placeMs = Math.min(1_000 / limit.ratePerSecond, lineMsMax);
    const aheadMs = Math.max(0, this.#lineEndMs - (nowMs + waitMs));
    if (aheadMs >= lineMsMax) return Math.ceil(waitMs + 1 + random * lineMsMax);
    this.#lineEndMs = nowMs + waitMs + aheadMs + placeMs;
    return Math.ceil(waitMs + aheadMs + random * placeMs);
  }

  /** A clock that goes back gives nothing and takes nothing; one that reads NaN does nothing. */
  #refill({ ratePerSecond }: RateLimit, nowMs: number): void {
    if (nowMs > this.#atMs) {
      const backSince = ((nowMs - this.#atMs) * ratePerSecond) / 1_000;
      this.#missing = this.#missing > backSince + tolerance ? this.#missing - backSince : 0;
    }
    if (!Number.isNaN(nowMs)) this.#atMs = nowMs;
  }
}
