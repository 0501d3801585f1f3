/**
 * A bucket for each key, and a bound on them. A bucket is forgotten only while it is full, so that no key gets a
 * fresh one while it is limited. They lie in the order in which they last gave a token: if the first one is not full,
 * each key in the table was let in within the last burst / rate seconds, and then a new key has to wait.
 */

import { LinkedList, type Link } from "./linked-list.ts";
import { RateBucket, type RateLimit } from "./rate-bucket.ts";

interface Entry {
  readonly key: string;
  readonly bucket: RateBucket;
}

export class RateTable {
  readonly #keysMax: number;
  readonly #byKey = new Map<string, Link<Entry>>();
  readonly #byAge = new LinkedList<Entry>();
  /** The line of those for whom there is no room. */
  readonly #outside = new RateBucket();
  #limit: RateLimit;

  constructor(limit: RateLimit, keysMax: number) {
    this.#limit = limit;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#byKey.size;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** @returns 0 where a token can be taken now */
  waitMs(key: string, nowMs: number): number {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.value.bucket.waitMs(this.#limit, nowMs);
    const oldest = this.#byAge.first;
    if (this.#byKey.size < this.#keysMax || oldest === undefined) return 0;
    return oldest.value.bucket.fullInMs(this.#limit, nowMs);
  }

  /** To be called only when `waitMs` has said 0 for the same time. */
  take(key: string, nowMs: number): void {
    const known = this.#byKey.get(key);
    if (known !== undefined) this.#byAge.remove(known);
    // Two at a time, so that a table that was large once becomes small again.
    for (let each = 0; each < 2; each++) this.#forgetOldestIfFull(nowMs);
    const entry = known?.value ?? { key, bucket: new RateBucket() };
    entry.bucket.take(this.#limit, nowMs);
    this.#byKey.set(key, this.#byAge.append(entry));
  }

  /** Puts a key that has to wait into its line. @returns whole ms, at least 1 */
  queueUpMs(key: string, waitMs: number, nowMs: number, random: number): number {
    const bucket = this.#byKey.get(key)?.value.bucket ?? this.#outside;
    return bucket.queueUpMs(this.#limit, waitMs, nowMs, random);
  }

  change(limit: RateLimit, nowMs: number): void {
    for (const { value } of this.#byAge) value.bucket.change(this.#limit, limit, nowMs);
    this.#limit = limit;
  }

  #forgetOldestIfFull(nowMs: number): void {
    const oldest = this.#byAge.first;
    if (oldest === undefined || oldest.value.bucket.fullInMs(this.#limit, nowMs) > 0) return;
    this.#byAge.remove(oldest);
    this.#byKey.delete(oldest.value.key);
  }
}
