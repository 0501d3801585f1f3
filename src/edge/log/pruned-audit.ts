/** Checks that what is missing at the front of a log is what its own events say was forgotten, no more and no less. */

import type { EventEntry } from "../../core/log/entry.ts";
import type { IndexRange } from "../../core/log/index-ranges.ts";
import { parsePruned } from "../../core/log/pruned.ts";

export class PrunedAudit {
  /** Undefined before the first event: those before it may have been forgotten themselves. */
  #end: number | undefined;

  /** Everything before it was forgotten, by the events so far. */
  get end(): number {
    return this.#end ?? 0;
  }

  /** @returns what is wrong with the entry */
  take(index: number, { type, detail }: EventEntry): string | undefined {
    if (type !== "pruned") return undefined;
    const range = parsePruned(detail);
    if (range === undefined || range.end > index) return "it does not say which entries before it";
    if (range.start !== (this.#end ?? range.start)) {
      return `expected entries from ${this.#end} on to be pruned, got ${range.start}`;
    }
    this.#end = range.end;
    return undefined;
  }

  /** @returns what is wrong with the gaps of the whole log */
  fault(skipped: readonly IndexRange[]): string | undefined {
    const [first = { start: 0, end: 0 }, ...others] = skipped;
    if (first.start === 0 && first.end === this.end && others.length === 0) return undefined;
    const gaps = skipped.map(({ start, end }) => `${start} to ${end - 1}`).join(", ") || "none";
    return `expected entries before ${this.end} to be pruned and no others, missing are ${gaps}`;
  }
}
