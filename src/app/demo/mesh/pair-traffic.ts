/** Open-loop load between pairs of a mesh, as `Traffic` is between two; each answer says which certificates were used. */

import { setTimeout as sleep } from "node:timers/promises";
import { Coverage, type Pair } from "./coverage.ts";
import type { Member } from "./member.ts";

export interface PairTrafficOptions {
  readonly members: ReadonlyMap<string, Member>;
  readonly ratePerSecond: number;
  /** From the dial to the last byte; later is a failure. */
  readonly timeoutMs: number;
  readonly nowMs: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface PairFailure extends Pair {
  readonly atMs: number;
  readonly reason: string;
}

const failuresMax = 100;

export class PairTraffic {
  readonly coverage: Coverage;
  /** The first ones, with their reasons. */
  readonly failures: PairFailure[] = [];
  sent = 0;
  failed = 0;
  slowestMs = 0;
  readonly #options: PairTrafficOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: PairTrafficOptions) {
    this.#options = options;
    this.coverage = new Coverage([...options.members.keys()]);
  }

  /** Runs until the signal, and then until the last answer or its time-out. */
  async run(signal: AbortSignal): Promise<void> {
    const { ratePerSecond } = this.#options;
    const startMs = performance.now();
    let due = 0;
    while (!signal.aborted) {
      const elapsedMs = performance.now() - startMs;
      for (; due <= (elapsedMs * ratePerSecond) / 1_000; due++) this.#send(due);
      const dueMs = (due * 1_000) / ratePerSecond;
      await sleep(Math.max(1, dueMs - elapsedMs), undefined, { signal }).catch(() => {});
    }
    await Promise.all(this.#pending);
  }

  #send(number: number): void {
    const { random, nowMs } = this.#options;
    // Half of them go wherever chance leads, as traffic does.
    const pair = number % 2 === 0 ? this.coverage.any(random()) : this.coverage.next(random());
    this.sent++;
    const atMs = nowMs();
    const call = this.#call(pair).catch((error: unknown) => {
      this.failed++;
      const reason = error instanceof Error ? error.message : String(error);
      if (this.failures.length < failuresMax) this.failures.push({ ...pair, atMs, reason });
    });
    this.#pending.add(call);
    void call.finally(() => this.#pending.delete(call));
  }

  async #call(pair: Pair): Promise<void> {
    const { members, timeoutMs } = this.#options;
    const startMs = performance.now();
    const member = members.get(pair.caller);
    if (member === undefined) throw new TypeError(`expected a workload, got ${pair.caller}`);
    this.coverage.add(pair, await member.call(pair.callee, timeoutMs));
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
  }
}
