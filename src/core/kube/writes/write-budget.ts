/** What we may ask the API server to write: a token bucket, and a time in which nothing is written because the API server has said so. */

import { RateBucket, type RateLimit } from "../../issuance/rate-bucket.ts";

/** Of a 429 that names no time (Kubernetes: priority and fairness names one). */
const holdDefaultMs = 1_000;

export class WriteBudget {
  readonly #limit: RateLimit;
  readonly #bucket = new RateBucket();
  #heldUntilMs = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** @returns 0 where something can be written now */
  waitMs(nowMs: number): number {
    const heldMs = Math.max(0, this.#heldUntilMs - nowMs);
    return Math.max(heldMs, this.#bucket.waitMs(this.#limit, nowMs));
  }

  /** To be asked with `waitMs` first. */
  take(nowMs: number): void {
    this.#bucket.take(this.#limit, nowMs);
  }

  /** The API server has refused a write by 429. @param retryAfterMs undefined: it did not say when */
  refused(retryAfterMs: number | undefined, nowMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, nowMs + (retryAfterMs ?? holdDefaultMs));
  }
}
