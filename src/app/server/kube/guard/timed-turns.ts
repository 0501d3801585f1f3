/**
 * Pieces of work one after the other, for each of which somebody waits no longer than he says, the line before it included. Each address
 * has a line of its own, and the lines take turns: whoever asks for much waits for himself.
 */

import { unlessAborted } from "../../../../core/unless-aborted.ts";

export class TimedTurns {
  /** Not empty; whose turn it is first. */
  readonly #lines = new Map<string, (() => Promise<void>)[]>();
  #isRunning = false;

  /**
   * @param from who asks. @param work ends by its signal, once nobody waits for it
   * @returns undefined where there is no time for it
   */
  async run<T>(
    from: string,
    deadlineMs: number,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const late = new AbortController();
    const { signal } = late;
    const timer = setTimeout(() => late.abort(), deadlineMs);
    try {
      const turn = this.#turn(from, async () => {
        signal.throwIfAborted();
        return await work(signal);
      });
      return await unlessAborted(turn, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #turn<T>(from: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const line = this.#lines.get(from) ?? [];
    line.push(() => work().then(resolve, reject));
    this.#lines.set(from, line);
    if (!this.#isRunning) void this.#go();
    return await promise;
  }

  async #go(): Promise<void> {
    this.#isRunning = true;
    for (let [next] = this.#lines; next !== undefined; [next] = this.#lines) {
      const [from, line] = next;
      const work = line.shift();
      // To the end of all lines.
      this.#lines.delete(from);
      if (line.length > 0) this.#lines.set(from, line);
      await work?.();
    }
    this.#isRunning = false;
  }
}
