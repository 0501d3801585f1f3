/** Calls at a steady pace, whether they are answered or not: as many pods would make them. */

import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../bench/percentile.ts";
import type { ServerRig } from "./server-rig.ts";

export interface CallOutcome {
  /** When it was made, and for how long it waited, in ms. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly token: string;
  /** Of gRPC; -1: the connection was lost. */
  readonly code: number;
  readonly pushbackMs: number | undefined;
}

export interface SteadyOptions {
  readonly perSecond: number;
  /** Of the next call. */
  readonly token: () => string;
}

export class SteadyCalls implements AsyncDisposable {
  readonly outcomes: CallOutcome[] = [];
  readonly #open = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #openMax = 0;

  /** Begins at once. */
  constructor(rig: ServerRig, options: SteadyOptions) {
    this.#running = this.#run(rig, options);
  }

  /** How many waited at once at most. */
  get openMax(): number {
    return this.#openMax;
  }

  since(ms: number): readonly CallOutcome[] {
    return this.outcomes.filter(({ atMs }) => atMs >= ms);
  }

  /** Resolves when all are answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#open);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(rig: ServerRig, { perSecond, token }: SteadyOptions): Promise<void> {
    const { signal } = this.#stop;
    const beganMs = performance.now();
    for (let call = 0; !signal.aborted; call++) {
      const dueMs = beganMs + (call * 1_000) / perSecond;
      const waitMs = dueMs - performance.now();
      if (waitMs > 1) await sleep(waitMs, undefined, { signal }).catch(() => {});
      const made = this.#call(rig, token());
      this.#open.add(made);
      this.#openMax = Math.max(this.#openMax, this.#open.size);
      void made.finally(() => this.#open.delete(made));
    }
  }

  async #call(rig: ServerRig, token: string): Promise<void> {
    const atMs = performance.now();
    const reply = await rig.call(token).catch(() => undefined);
    const code = reply?.code ?? -1;
    const pushback = reply?.metadata["grpc-retry-pushback-ms"];
    const pushbackMs = pushback === undefined ? undefined : Number(pushback);
    this.outcomes.push({ atMs, tookMs: performance.now() - atMs, token, code, pushbackMs });
  }
}

/** @returns how many there are of each code, such as `{ "0": 6000 }` */
export function tally(outcomes: readonly CallOutcome[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { code } of outcomes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

export function p99Ms(outcomes: readonly CallOutcome[]): number {
  return percentile(
    outcomes.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b),
    0.99,
  );
}
