/**
 * Writes the story. In a terminal the board stays below it and is drawn anew; elsewhere lines only
 * follow each other.
 */

import type { TextSink } from "../cli/command.ts";

export interface DisplayOptions {
  readonly sink: TextSink;
  /** Whether the cursor can be moved. */
  readonly isTerminal: boolean;
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
/** A line that is too long is cut, not wrapped: the next erasure counts lines. */
const wrapOff = "\x1b[?7l";
const wrapOn = "\x1b[?7h";

export class Display implements Disposable {
  readonly #options: DisplayOptions;
  #boardHeight = 0;

  constructor(options: DisplayOptions) {
    this.#options = options;
  }

  get isTerminal(): boolean {
    return this.#options.isTerminal;
  }

  /** @param board shown below from now on, in a terminal only */
  print(lines: readonly string[], board: readonly string[] = []): void {
    const { sink, isTerminal } = this.#options;
    const text = lines.map((line) => `${line}\n`).join("");
    if (!isTerminal) {
      if (text !== "") sink.write(text);
      return;
    }
    const below = board.map((line) => `${line}\n`).join("");
    // One write for one frame, so that nothing flickers.
    sink.write(`${hideCursor}${this.#erasure()}${text}${wrapOff}${below}${wrapOn}`);
    this.#boardHeight = board.length;
  }

  [Symbol.dispose](): void {
    if (!this.#options.isTerminal) return;
    this.#options.sink.write(`${this.#erasure()}${showCursor}`);
    this.#boardHeight = 0;
  }

  #erasure(): string {
    return this.#boardHeight === 0 ? "" : `\x1b[${this.#boardHeight}A\r\x1b[0J`;
  }
}
