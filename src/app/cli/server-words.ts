/** What a server says, for people: harmless, and with times as the tables have them. */

import { formatRelative } from "./format.ts";
import { printable } from "./text.ts";

export function wordsOf(text: string, nowMs: number): string {
  return printable(text.replaceAll(times, (found, time: string) => relative(time, nowMs) ?? found));
}

/** With the word before it, which does not go with a span. */
const times = /(?:\b(?:since|at) )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/g;

function relative(time: string, nowMs: number): string | undefined {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : formatRelative(ms, nowMs);
}
