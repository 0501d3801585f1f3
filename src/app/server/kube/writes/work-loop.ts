/** Work by key, so many at a time, the oldest first, each key once: what writes to the cluster goes round in one of these. */

import { WorkQueue } from "../../../../core/kube/writes/work-queue.ts";

export interface WorkLoopOptions {
  readonly inFlightMax: number;
  /** Keys that wait. */
  readonly waitingMax: number;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** Must not reject. @returns when it is to be tried again; undefined: it is done */
  readonly work: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  /** Some found no room, and now there is some: whoever knows all of them adds them again. */
  readonly onRoom?: () => void;
}

const timerMostMs = 60_000;

export class WorkLoop implements AsyncDisposable {
  readonly #options: WorkLoopOptions;
  readonly #queue: WorkQueue;
  readonly #closed = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WorkLoopOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.waitingMax);
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  /** No key is taken up before that. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  add(keys: Iterable<string>): void {
    if (this.isClosed) return;
    for (const key of keys) this.#queue.add(key);
    this.#turn();
  }

  forget(key: string): void {
    this.#queue.forget(key);
  }

  pauseUntil(atMs: number): void {
    this.#pausedUntilMs = atMs;
  }

  /** What is under way is cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await Promise.all(this.#running);
  }

  #turn(): void {
    clearTimeout(this.#timer);
    if (this.isClosed) return;
    const { inFlightMax, nowMs, onRoom } = this.#options;
    const now = nowMs();
    while (this.#running.size < inFlightMax && now >= this.#pausedUntilMs) {
      const key = this.#queue.take(now);
      if (key === undefined) break;
      this.#begin(key);
    }
    if (this.#running.size >= inFlightMax) return;
    const { nextMs } = this.#queue;
    if (nextMs !== undefined) {
      const waitMs = Math.max(nextMs, this.#pausedUntilMs) - now;
      const timerMs = Math.min(Math.max(waitMs, 1), timerMostMs);
      this.#timer = setTimeout(() => this.#turn(), timerMs).unref();
    } else if (this.#running.size === 0 && this.#queue.takeOverfull()) {
      onRoom?.();
    }
  }

  #begin(key: string): void {
    const run = this.#options.work(key, this.#closed.signal).then((laterMs) => {
      this.#running.delete(run);
      this.#queue.done(key, laterMs);
      this.#turn();
    });
    this.#running.add(run);
  }
}
