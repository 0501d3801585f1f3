/** Times on the command line: RFC 3339, and how long from now or ago. */

import { parseDuration } from "../../core/duration.ts";
import { PortcullisError } from "../../core/error.ts";
import { UsageError } from "./usage-error.ts";

/** RFC 3339 5.6, whose time always says its zone. */
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;
const date = /^\d{4}-\d\d-\d\d$/;

/** @param takesDates a date alone is its beginning in UTC. @returns Unix milliseconds; NaN for what is no time */
export function parseTime(text: string, takesDates: boolean): number {
  if (!timestamp.test(text) && !(takesDates && date.test(text))) return Number.NaN;
  const day = text.slice(0, 10);
  const midnightMs = Date.parse(day);
  // Date takes February 30th for a day in March.
  const isDay = !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(day);
  return isDay ? Date.parse(text.toUpperCase()) : Number.NaN;
}

/** `--until`: a time that is to come. @returns Unix milliseconds. @throws UsageError */
export function parseUntil(text: string, nowMs: number, takesDates = false): number {
  const timeMs = parseTime(text, takesDates);
  const untilMs = Number.isNaN(timeMs) ? endAfter(durationMs(text), nowMs) : timeMs;
  if (untilMs > nowMs) return untilMs;
  const expected = "expected a time in the future or a duration";
  throw new UsageError("usage-invalid-value", `--until: ${expected}, got ${JSON.stringify(text)}`, {
    hint: `write ${takesDates ? "2026-12-31, " : ""}2026-12-31T08:00:00Z, 12h or 90d`,
  });
}

/** In whole seconds, as it is shown. */
function endAfter(spanMs: number, nowMs: number): number {
  return spanMs === 0 ? nowMs : Math.ceil((nowMs + spanMs) / 1_000) * 1_000;
}

/** NaN, which is never to come, for what is none. */
function durationMs(text: string): number {
  try {
    return parseDuration(text) * 1_000;
  } catch (cause) {
    if (cause instanceof PortcullisError) return Number.NaN;
    throw cause;
  }
}
