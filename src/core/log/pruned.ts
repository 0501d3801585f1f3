/** What a `pruned` event says in its detail: which entries were forgotten. An audit holds the gap in a log to it. */

import type { IndexRange } from "./index-ranges.ts";
import { isSize } from "./merkle.ts";

const DETAIL = /^\{"start":(\d{1,16}),"end":(\d{1,16})\}$/;

/** JSON, so that programs read it without this one. */
export function encodePruned({ start, end }: IndexRange): string {
  return JSON.stringify({ start, end });
}

/** Undefined unless it is exactly what `encodePruned` makes of a range that has something in it. */
export function parsePruned(detail: string): IndexRange | undefined {
  const [, start, end] = DETAIL.exec(detail) ?? [];
  const range = { start: Number(start), end: Number(end) };
  const isRange = isSize(range.start) && isSize(range.end) && range.start < range.end;
  return isRange && encodePruned(range) === detail ? range : undefined;
}
