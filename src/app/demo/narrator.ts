/** Tells the facts of the first act in the order in which they happened, and keeps its board. */

import { boardLine, boardLines, type BoardView } from "./board.ts";
import type { Display } from "./display.ts";
import type { Fact } from "./fact.ts";
import { Frames } from "./frames.ts";
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

export class Narrator implements AsyncDisposable {
  readonly #options: NarratorOptions;
  readonly #frames: Frames;
  #untold: Fact[] = [];

  constructor(options: NarratorOptions) {
    const { paint, startedMs, nowMs, view } = options;
    this.#options = options;
    this.#frames = new Frames({
      ...options,
      story: (untilMs) => this.#takeStory(untilMs),
      board: () => boardLines(view(), paint),
      report: () => `${formatOffset(nowMs() - startedMs)}  ${boardLine(view())}`,
    });
  }

  take(fact: Fact): void {
    this.#options.ledger.take(fact);
    this.#untold.push(fact);
  }

  start(): void {
    this.#frames.start();
  }

  /** Tells what is left, and takes the board away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#frames[Symbol.asyncDispose]();
  }

  #takeStory(untilMs: number): readonly string[] {
    const { ledger, paint, startedMs } = this.#options;
    const due = this.#untold.filter(({ atMs }) => atMs <= untilMs);
    this.#untold = this.#untold.filter(({ atMs }) => atMs > untilMs);
    return due
      .toSorted((a, b) => a.atMs - b.atMs)
      .flatMap((fact) => storyLine(fact, ledger, startedMs, paint) ?? []);
  }
}
