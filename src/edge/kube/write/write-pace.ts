/** All that writes to the API server, one after the other at a pace that it bears, whoever else uses it: first come, first served. */

import { setTimeout as sleep } from "node:timers/promises";
import { WriteBudget } from "../../../core/kube/writes/write-budget.ts";
import type { RateLimit } from "../../../core/issuance/rate-bucket.ts";
import { unlessAborted } from "../../../core/unless-aborted.ts";
import { KubeError } from "../kube-error.ts";

/** Measured: a ConfigMap costs the API server and etcd 1.5 to 4 ms of CPU together, so this is a quarter of a core, and 1,000 take 13 s. */
export const writeLimitDefault: RateLimit = { ratePerSecond: 75, burst: 75 };

export interface WritePaceOptions {
  readonly limit?: RateLimit;
  /** Monotonic. */
  readonly nowMs: () => number;
}

export class WritePace {
  readonly #budget: WriteBudget;
  readonly #nowMs: () => number;
  /** Whoever came last; never rejects. */
  #last: Promise<void> = Promise.resolve();

  constructor({ limit = writeLimitDefault, nowMs }: WritePaceOptions) {
    this.#budget = new WriteBudget(limit);
    this.#nowMs = nowMs;
  }

  /** After a 429 everybody waits. @throws what `write` throws; the reason of the signal */
  async run<T>(signal: AbortSignal, write: () => Promise<T>): Promise<T> {
    await this.#turn(signal);
    try {
      return await write();
    } catch (error) {
      if (error instanceof KubeError && error.code === "kube-throttled") {
        this.#budget.refused(error.retryAfterMs, this.#nowMs());
      }
      throw error;
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    try {
      await unlessAborted(before, signal);
      for (;;) {
        const waitMs = this.#budget.waitMs(this.#nowMs());
        if (waitMs <= 0) break;
        await sleep(waitMs, undefined, { signal });
      }
      this.#budget.take(this.#nowMs());
    } finally {
      // Whoever gives up in the line is no way past those before it.
      void before.then(resolve);
    }
  }
}
