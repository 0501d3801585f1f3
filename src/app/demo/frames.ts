/** Draws the board again and again, and tells above it what is due. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Display } from "./display.ts";

export interface FramesOptions {
  readonly display: Display;
  readonly startedMs: number;
  readonly nowMs: () => number;
  /** Lines that have not been told yet. */
  readonly story: (untilMs: number) => readonly string[];
  readonly board: () => readonly string[];
  /** The board in a line, for where there is none. */
  readonly report: () => string;
}

const frameMs = 200;
/** The programs write their lines up to 100 ms late, and not in the order of each other. */
const settleMs = 300;
const reportMs = 5_000;

export class Frames implements AsyncDisposable {
  readonly #options: FramesOptions;
  readonly #end = new AbortController();
  #drawing: Promise<void> | undefined;
  #reportedMs: number;

  constructor(options: FramesOptions) {
    this.#options = options;
    this.#reportedMs = options.startedMs;
  }

  start(): void {
    this.#drawing = this.#run(this.#end.signal);
  }

  /** Tells what is left, and takes the board away. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#drawing;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { display, nowMs, story, board } = this.#options;
    while (!signal.aborted) {
      display.print([...story(nowMs() - settleMs), ...this.#report()], board());
      await sleep(frameMs, undefined, { signal }).catch(() => {});
    }
    display.print(story(Infinity));
  }

  #report(): readonly string[] {
    const { display, nowMs, report } = this.#options;
    if (display.isTerminal || nowMs() - this.#reportedMs < reportMs) return [];
    this.#reportedMs = nowMs();
    return [report()];
  }
}
