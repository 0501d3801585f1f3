/**
 * What is to be done, by key: each once however often it is asked for, the oldest first. Whatever is asked for while it is under way is
 * done once more. It is bounded: what finds no room is remembered as such, and whoever filled the queue looks for it again later.
 */

export class WorkQueue {
  readonly #max: number;
  /** In the order in which they came. */
  readonly #ready = new Set<string>();
  /** When each is ready again. */
  readonly #later = new Map<string, number>();
  /** No later than the first of them. */
  #earliestMs = Infinity;
  /** Whether it is to be done once more. */
  readonly #underWay = new Map<string, boolean>();
  #isOverfull = false;

  /** @param max keys that wait */
  constructor(max: number) {
    this.#max = max;
  }

  /** Also what is under way. */
  get size(): number {
    return this.#ready.size + this.#later.size + this.#underWay.size;
  }

  /** Ready now, also if it was to wait. */
  add(key: string): void {
    if (this.#underWay.has(key)) {
      this.#underWay.set(key, true);
      return;
    }
    if (this.#ready.has(key)) return;
    this.#later.delete(key);
    if (this.#hasRoom()) this.#ready.add(key);
  }

  /** Ready at a time of its own. */
  delay(key: string, atMs: number): void {
    if (this.#ready.has(key) || this.#underWay.get(key) === true) return;
    if (!this.#later.has(key) && !this.#hasRoom()) return;
    this.#later.set(key, atMs);
    this.#earliestMs = Math.min(this.#earliestMs, atMs);
  }

  forget(key: string): void {
    this.#ready.delete(key);
    this.#later.delete(key);
    if (this.#underWay.has(key)) this.#underWay.set(key, false);
  }

  /** The oldest that is ready: under way until `done`. */
  take(nowMs: number): string | undefined {
    this.#ripen(nowMs);
    const [key] = this.#ready;
    if (key === undefined) return undefined;
    this.#ready.delete(key);
    this.#underWay.set(key, false);
    return key;
  }

  /** @param laterMs when it is to be tried again; undefined: it is done */
  done(key: string, laterMs?: number): void {
    const isAgain = this.#underWay.get(key);
    this.#underWay.delete(key);
    if (isAgain === true) this.add(key);
    else if (laterMs !== undefined) this.delay(key, laterMs);
  }

  /** When the next one is ready, or sooner; undefined: nothing waits. */
  get nextMs(): number | undefined {
    if (this.#ready.size > 0) return Number.NEGATIVE_INFINITY;
    return this.#later.size === 0 ? undefined : this.#earliestMs;
  }

  /** Whether something found no room since this was asked the last time. */
  takeOverfull(): boolean {
    const was = this.#isOverfull;
    this.#isOverfull = false;
    return was;
  }

  #hasRoom(): boolean {
    const hasRoom = this.#ready.size + this.#later.size < this.#max;
    if (!hasRoom) this.#isOverfull = true;
    return hasRoom;
  }

  #ripen(nowMs: number): void {
    if (nowMs < this.#earliestMs) return;
    const byTime = Array.from(this.#later).toSorted(([, a], [, b]) => a - b);
    for (const [key] of byTime.filter(([, atMs]) => atMs <= nowMs)) {
      this.#later.delete(key);
      this.#ready.add(key);
    }
    this.#earliestMs = byTime.find(([, atMs]) => atMs > nowMs)?.[1] ?? Infinity;
  }
}
