/** Durations as operators write them ("24h", "1h30m", "90d") and as Go prints them ("3h0m0s"), in whole seconds. */

import { PortcullisError } from "./error.ts";

const secondsPerUnit: ReadonlyMap<string, number> = new Map([
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
]);

/** @returns seconds; at most a hundred years, so that no later sum can leave the safe integers */
export function parseDuration(text: string): number {
  const terms = [...text.matchAll(/(\d{1,10})([dhms])/g)];
  if (terms.length === 0 || terms.map((term) => term[0]).join("") !== text) {
    throw invalid(text);
  }
  let seconds = 0;
  for (const [, count, unit] of terms) {
    seconds += Number(count) * (secondsPerUnit.get(unit ?? "") ?? Number.NaN);
  }
  if (!(seconds <= 100 * 365 * 86_400)) throw invalid(text);
  return seconds;
}

/** To the second, as it is read again: `1d3h5m`. */
export function formatDuration(seconds: number): string {
  let rest = seconds;
  const parts = Array.from(secondsPerUnit, ([unit, unitSeconds]) => {
    const count = Math.floor(rest / unitSeconds);
    rest -= count * unitSeconds;
    return count === 0 ? "" : `${count}${unit}`;
  });
  return parts.join("") || "0s";
}

/** Go's `time.Duration` format, which Istio's messages use. */
export function formatGoDuration(seconds: number | bigint): string {
  let rest = BigInt(seconds);
  const sign = rest < 0n ? "-" : "";
  if (rest < 0n) rest = -rest;
  const hours = rest / 3_600n;
  const minutes = (rest / 60n) % 60n;
  if (hours > 0n) return `${sign}${hours}h${minutes}m${rest % 60n}s`;
  return minutes > 0n ? `${sign}${minutes}m${rest % 60n}s` : `${sign}${rest}s`;
}

function invalid(text: string): PortcullisError<"duration-invalid"> {
  const got = JSON.stringify(text.slice(0, 40));
  return new PortcullisError("duration-invalid", `expected a duration, got ${got}`, {
    hint: "write it as 24h, 1h30m, 45s or 90d",
  });
}
