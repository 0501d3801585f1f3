/** What the third act tells, line by line: who did what and when, and what the operator reads. */

import { printable } from "../../cli/text.ts";
import type { Paint, Style } from "../paint.ts";
import { formatOffset } from "../story.ts";

export class FlipStory {
  readonly #paint: Paint;
  readonly #elapsedMs: () => number;
  #untold: string[] = [];

  constructor(paint: Paint, elapsedMs: () => number) {
    this.#paint = paint;
    this.#elapsedMs = elapsedMs;
  }

  tell(who: string, what: string, style?: Style): void {
    const text = printable(what);
    const said = style === undefined ? text : this.#paint(style, text);
    const time = this.#paint("dim", formatOffset(this.#elapsedMs()));
    this.#untold.push(`${time}  ${this.#paint("bold", who.padEnd(14))} ${said}`);
  }

  /** A line that a program has printed. */
  quote(line: string): void {
    this.#untold.push(`${" ".repeat(8)}${this.#paint("cyan", printable(line))}`);
  }

  /** What was not taken yet. */
  take(): readonly string[] {
    return this.#untold.splice(0);
  }
}
