/**
 * What a `restored` event says in its detail: which entries a restore has lost, and the newest checkpoint that was known of
 * the log that they were in. An agent that holds one of those checkpoints accepts the log again only because of it.
 */

import type { Entry } from "./entry.ts";
import { LogError } from "./log-error.ts";
import { isSize } from "./merkle.ts";

export interface RestoredRange {
  /** The size of the log in the backup: the first entry that may be lost. */
  readonly from: number;
  /** The size of the newest checkpoint that was known: the end of what is lost. */
  readonly to: number;
  /** That checkpoint, a signed note; the backup's own if nothing newer was known. */
  readonly checkpoint: string;
  /** Until when a certificate that is in the lost entries only may be valid, Unix ms. */
  readonly possibleUntilMs: number;
}

/** @throws LogError `log-entry-malformed` for a range that is none */
export function encodeRestored(range: RestoredRange): string {
  const { from, to, checkpoint, possibleUntilMs } = range;
  if (!isRange(range)) throw malformed();
  return JSON.stringify({ from, to, checkpoint, possibleUntil: possibleUntilMs });
}

/** @throws LogError `log-entry-malformed` unless it is exactly what `encodeRestored` makes */
export function parseRestored(detail: string): RestoredRange {
  const { from, to, checkpoint, possibleUntil } = objectOf(detail);
  const range = { from, to, checkpoint, possibleUntilMs: possibleUntil };
  if (!isRange(range) || encodeRestored(range) !== detail) throw malformed();
  return range;
}

/** Undefined for every other entry, and for a detail that says nothing: such an event excuses nothing, and harms nobody. */
export function findRestored(entry: Entry): RestoredRange | undefined {
  if (entry.kind !== "event" || entry.type !== "restored") return undefined;
  try {
    return parseRestored(entry.detail);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

function objectOf(detail: string): Readonly<Record<string, unknown>> {
  try {
    return { ...JSON.parse(detail) };
  } catch (cause) {
    throw malformed(cause);
  }
}

function isRange(range: Readonly<Record<keyof RestoredRange, unknown>>): range is RestoredRange {
  const { from, to, checkpoint, possibleUntilMs } = range;
  return (
    isNumber(from) &&
    isNumber(to) &&
    from <= to &&
    typeof checkpoint === "string" &&
    isNumber(possibleUntilMs)
  );
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && isSize(value);
}

function malformed(cause?: unknown): LogError {
  return new LogError(
    "log-entry-malformed",
    "expected from, to, checkpoint and possibleUntil in the detail of a restored event",
    { cause },
  );
}
