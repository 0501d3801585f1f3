/**
 * When something is looked at: soon after it may be another, and now and then in any case. Whatever a look costs, it takes a small part of
 * the time only; what could not be done is not tried again at once.
 */

import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

/** `again`: there may be more to do at once. `failed`: it is tried again in a while. */
export type Looked = "done" | "again" | "failed";

export interface LookPaceOptions {
  readonly look: () => Promise<Looked>;
  /** In how long something happens by time alone; not above 0 for what has happened. */
  readonly nextMs: () => number;
  /** Told of what a look throws, which has failed then. */
  readonly onFailed: (error: unknown) => void;
}

const shortestMs = 50;
const longestMs = 30_000;
const failedMs = 5_000;
/** Of the time that one takes. */
const rest = 10;

export class LookPace implements AsyncDisposable {
  readonly #options: LookPaceOptions;
  readonly #ending = new AbortController();
  #isDue = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #notBeforeMs = 0;
  #costlyNotBeforeMs = 0;
  /** When it is to be looked again for what was not done. */
  #owedMs = Infinity;

  constructor(options: LookPaceOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#isDue = true;
    if (this.#running !== undefined || this.#ending.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#schedule();
    });
  }

  /** @returns undefined where it was done too lately: then it is looked at again when it can be done */
  async costly<T>(work: () => Promise<T>): Promise<T | undefined> {
    const beganMs = performance.now();
    if (beganMs < this.#costlyNotBeforeMs) {
      this.#owedMs = Math.min(this.#owedMs, this.#costlyNotBeforeMs);
      return undefined;
    }
    try {
      return await work();
    } finally {
      this.#costlyNotBeforeMs = restedMs(beganMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (this.#isDue && !signal.aborted) {
      const waitMs = this.#notBeforeMs - performance.now();
      // Whoever is ending waits for nothing.
      if (waitMs > 0) await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {});
      // All that changes within a turn is looked at once.
      await nextTurn();
      if (signal.aborted) return;
      this.#isDue = false;
      this.#owedMs = Infinity;
      await this.#lookOn();
    }
  }

  /** Until nothing is left to do at once: steps are few, and what comes after one is news. */
  async #lookOn(): Promise<void> {
    const beganMs = performance.now();
    let looked: Looked = "again";
    let count = 0;
    while (looked === "again" && !this.#ending.signal.aborted) {
      count += 1;
      looked = await this.#look();
    }
    this.#notBeforeMs = count > 1 ? performance.now() + shortestMs : restedMs(beganMs);
    if (looked !== "failed") return;
    this.#notBeforeMs = performance.now() + failedMs;
    this.#owedMs = this.#notBeforeMs;
  }

  async #look(): Promise<Looked> {
    try {
      return await this.#options.look();
    } catch (error) {
      this.#options.onFailed(error);
      return "failed";
    }
  }

  #schedule(): void {
    if (this.#ending.signal.aborted) return;
    if (this.#isDue) return this.wake();
    const nextMs = this.#options.nextMs();
    // A timer counts whole milliseconds, and may be early by one.
    const owedMs = Math.ceil(this.#owedMs - performance.now()) + 1;
    const soonMs = Math.min(longestMs, nextMs > 0 ? nextMs : Infinity, owedMs);
    this.#timer = setTimeout(() => this.wake(), Math.max(shortestMs, soonMs)).unref();
  }
}

function restedMs(beganMs: number): number {
  const nowMs = performance.now();
  return nowMs + Math.min(longestMs, Math.max(shortestMs, (nowMs - beganMs) * rest));
}
