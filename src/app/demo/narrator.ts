/** Tells the facts in the order in which they happened, and keeps the board. */

import { setTimeout as sleep } from "node:timers/promises";
import { boardLine, boardLines, type BoardView } from "./board.ts";
import type { Display } from "./display.ts";
import type { Fact } from "./fact.ts";
import type { Ledger } from "./ledger.ts";
import type { Paint } from "./paint.ts";
import { formatOffset, storyLine } from "./story.ts";

export interface NarratorOptions {
  readonly display: Display;
  readonly ledger: Ledger;
  readonly paint: Paint;
  readonly startedMs: number;
  readonly nowMs: () => number;
  readonly view: () => BoardView;
}

const frameMs = 200;
/** The programs write their lines up to 100 ms late, and not in the order of each other. */
const settleMs = 300;
/** Where there is no board. */
const reportMs = 5_000;

export class Narrator implements AsyncDisposable {
  readonly #options: NarratorOptions;
  readonly #end = new AbortController();
  #telling: Promise<void> | undefined;
  #untold: Fact[] = [];
  #reportedMs: number;

  constructor(options: NarratorOptions) {
    this.#options = options;
    this.#reportedMs = options.startedMs;
  }

  take(fact: Fact): void {
    this.#options.ledger.take(fact);
    this.#untold.push(fact);
  }

  start(): void {
    this.#telling = this.#run(this.#end.signal);
  }

  /** Tells what is left, and takes the board away. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#telling;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { display, nowMs, paint, view } = this.#options;
      const story = this.#takeStory(nowMs() - settleMs);
      display.print([...story, ...this.#report()], boardLines(view(), paint));
      await sleep(frameMs, undefined, { signal }).catch(() => {});
    }
    this.#options.display.print(this.#takeStory(Infinity));
  }

  #takeStory(untilMs: number): readonly string[] {
    const { ledger, paint, startedMs } = this.#options;
    const due = this.#untold.filter(({ atMs }) => atMs <= untilMs);
    this.#untold = this.#untold.filter(({ atMs }) => atMs > untilMs);
    return due
      .toSorted((a, b) => a.atMs - b.atMs)
      .flatMap((fact) => storyLine(fact, ledger, startedMs, paint) ?? []);
  }

  #report(): readonly string[] {
    const { display, nowMs, startedMs, view } = this.#options;
    if (display.isTerminal || nowMs() - this.#reportedMs < reportMs) return [];
    this.#reportedMs = nowMs();
    return [`${formatOffset(nowMs() - startedMs)}  ${boardLine(view())}`];
  }
}
