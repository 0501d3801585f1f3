/** CPU of processes that have something to do all the time: what a change costs is what comes on top of that. */

import { readUsage } from "./cpu.ts";

interface Reading {
  readonly micros: number;
  readonly atMs: number;
}

export class IdleCosts {
  readonly #pids: readonly number[];
  #first: Reading = { micros: 0, atMs: 0 };
  #second: Reading = { micros: 0, atMs: 0 };

  constructor(pids: readonly number[]) {
    this.#pids = pids;
  }

  /** Nothing changes from here on. @throws UsageError */
  async begin(): Promise<void> {
    this.#first = await this.#read();
  }

  /** From here on something does. @throws UsageError */
  async end(): Promise<void> {
    this.#second = await this.#read();
  }

  /** Of all together, while nothing changed. */
  get microsPerMs(): number {
    const { micros, atMs } = this.#second;
    return (micros - this.#first.micros) / (atMs - this.#first.atMs);
  }

  /** What they have used since `end` on top of that. @throws UsageError */
  async since(): Promise<number> {
    const { micros, atMs } = await this.#read();
    return micros - this.#second.micros - (atMs - this.#second.atMs) * this.microsPerMs;
  }

  async #read(): Promise<Reading> {
    const all = await Promise.all(this.#pids.map(async (pid) => readUsage(pid)));
    const micros = all.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
    return { micros, atMs: performance.now() };
  }
}
