/**
 * Open-loop load through a client's Envoy, of everything that a connection can be: new for each request or kept, HTTP/1.1, HTTP/2 or
 * TCP, answered at once or slowly. 300 requests a second in total.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Call, type Caller } from "./callers.ts";

/** What one kind of traffic has met. */
export interface Tally {
  sent: number;
  failed: number;
  /** By what went over the wire between the Envoys, as the application was told: mTLS or plaintext. */
  mtls: number;
  plaintext: number;
  slowestMs: number;
  /** The first ones. */
  readonly failures: string[];
}

export interface Load {
  readonly name: string;
  readonly perSecond: number;
  readonly caller: Caller;
}

const failuresShown = 20;

export class Traffic implements AsyncDisposable {
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly #loads: readonly Load[];
  readonly #ends = new AbortController();
  readonly #pending = new Set<Promise<void>>();
  readonly #running: Promise<void>;
  readonly #startedMs = performance.now();

  constructor(loads: readonly Load[]) {
    this.#loads = loads;
    this.tallies = new Map(loads.map(({ name }) => [name, newTally()]));
    this.#running = Promise.all(loads.map((load) => this.#run(load))).then(() => undefined);
  }

  /** Of all kinds. */
  get failures(): readonly string[] {
    return [...this.tallies].flatMap(([name, { failures }]) =>
      failures.map((each) => `${name}: ${each}`),
    );
  }

  get failed(): number {
    return [...this.tallies.values()].reduce((sum, { failed }) => sum + failed, 0);
  }

  get sent(): number {
    return [...this.tallies.values()].reduce((sum, { sent }) => sum + sent, 0);
  }

  tally(name: string): Tally {
    const tally = this.tallies.get(name);
    if (tally === undefined) throw new TypeError(`there is no load ${name}`);
    return tally;
  }

  /** @returns what was sent how since `run` began */
  async during(run: () => Promise<void>): Promise<ReadonlyMap<string, Tally>> {
    const before = new Map([...this.tallies].map(([name, tally]) => [name, { ...tally }]));
    await run();
    return new Map(
      [...this.tallies].map(([name, now]) => [name, since(now, before.get(name) ?? newTally())]),
    );
  }

  /** Resolves with the last answer. */
  async stop(): Promise<void> {
    this.#ends.abort();
    await this.#running;
    await Promise.all(this.#pending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const { caller } of this.#loads) caller[Symbol.dispose]();
  }

  async #run({ name, perSecond, caller }: Load): Promise<void> {
    const { signal } = this.#ends;
    const startMs = performance.now();
    for (let due = 1; !signal.aborted; due++) {
      const waitMs = startMs + (due * 1_000) / perSecond - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const call = this.#call(this.tally(name), caller);
      this.#pending.add(call);
      void call.finally(() => this.#pending.delete(call));
    }
  }

  async #call(tally: Tally, caller: Caller): Promise<void> {
    const startMs = performance.now();
    tally.sent += 1;
    try {
      const calledBy = await caller.call();
      if (calledBy === Call.plaintext) tally.plaintext += 1;
      else if (calledBy !== Call.unknown) tally.mtls += 1;
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startMs);
    } catch (error) {
      tally.failed += 1;
      const at = ((startMs - this.#startedMs) / 1_000).toFixed(1);
      const why = error instanceof Error ? error.message : String(error);
      if (tally.failures.length < failuresShown) tally.failures.push(`at ${at} s: ${why}`);
    }
  }
}

function newTally(): Tally {
  return { sent: 0, failed: 0, mtls: 0, plaintext: 0, slowestMs: 0, failures: [] };
}

function since(now: Tally, before: Tally): Tally {
  return {
    sent: now.sent - before.sent,
    failed: now.failed - before.failed,
    mtls: now.mtls - before.mtls,
    plaintext: now.plaintext - before.plaintext,
    slowestMs: now.slowestMs,
    failures: now.failures.slice(before.failures.length),
  };
}
