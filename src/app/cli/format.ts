/**
 * Times and spans for people, in the two largest units that say something: `23h59m`, `89d4h`,
 * `12s`.
 */

export { formatDuration } from "../../core/duration.ts";

/** A span of time; the sign is dropped. */
export function formatSpan(spanMs: number): string {
  let seconds = Math.floor(Math.abs(spanMs) / 1000);
  const parts: string[] = [];
  for (const [unit, unitSeconds] of UNITS) {
    const count = Math.floor(seconds / unitSeconds);
    seconds -= count * unitSeconds;
    // Once a unit was shown, only its neighbour may follow: `1d3s` would claim a precision that
    // nobody wants.
    if (count > 0) parts.push(`${count}${unit}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? "0s" : parts.join("");
}

/** `48,211` */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `in 23h59m`, `12s ago` or `now`, as seen at `nowMs`. */
export function formatRelative(atMs: number, nowMs: number): string {
  const spanMs = atMs - nowMs;
  if (Math.abs(spanMs) < 1000) return "now";
  return spanMs > 0 ? `in ${formatSpan(spanMs)}` : `${formatSpan(spanMs)} ago`;
}

/** RFC 3339 in UTC, to the second. */
export function formatTimestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
];
