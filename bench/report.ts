/**
 * What a bench found: the median of its runs with their spread, beside a peer and a bound, and the
 * verdict.
 *
 * Peers and bounds are stated for the reference machine (unit.ts). Whatever depends on the speed of
 * a core is scaled to this machine by the unit before it is compared; memory and the time that a
 * protocol waits are not.
 */

import type { Machine } from "./machine.ts";
import { REFERENCE_UNIT_MICROS } from "./unit.ts";

export type MeasureKind =
  | "cpu"
  | "rate"
  | "latency"
  | "duration"
  | "memory"
  | "size"
  /** Of two figures of one run; higher is better. */
  | "share"
  | "count";

export interface Measure {
  readonly name: string;
  readonly kind: MeasureKind;
  /** One value for each run; at least one. */
  readonly runs: readonly number[];
  readonly peer?: { readonly name: string; readonly value: number };
  /** A target that is missed fails the bench; a goal is what we are on the way to. */
  readonly bound?: { readonly kind: "target" | "goal"; readonly value: number };
}

/** `unclear`: the median misses the target, but not every run does. */
export type Verdict = "met" | "MISSED" | "unclear" | "goal" | "none";

export interface Row {
  readonly name: string;
  readonly kind: MeasureKind;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  /** CPU figures only: in P-256 sign + verify. */
  readonly units?: number;
  /** Scaled to this machine, as is `bound`. */
  readonly peer?: { readonly name: string; readonly value: number };
  readonly bound?: { readonly kind: "target" | "goal"; readonly value: number };
  readonly verdict: Verdict;
}

export interface ReportHead {
  readonly machine: Machine;
  readonly commit: string;
  readonly seed: number;
  readonly unitMicros: number;
}

/** Plain data: `JSON.stringify` of it is the machine-readable output. */
export interface Report extends ReportHead {
  readonly rows: readonly Row[];
}

interface KindRule {
  readonly unit: string;
  readonly better: "lower" | "higher";
  /** The power of the unit that a figure grows with. */
  readonly scale: -1 | 0 | 1;
}

export const RULES: Readonly<Record<MeasureKind, KindRule>> = {
  cpu: { unit: "us", better: "lower", scale: 1 },
  rate: { unit: "1/s", better: "higher", scale: -1 },
  latency: { unit: "ms", better: "lower", scale: 1 },
  duration: { unit: "s", better: "lower", scale: 0 },
  memory: { unit: "MiB", better: "lower", scale: 0 },
  size: { unit: "B", better: "lower", scale: 0 },
  share: { unit: "", better: "higher", scale: 0 },
  count: { unit: "", better: "lower", scale: 0 },
};

export function makeReport(head: ReportHead, measures: readonly Measure[]): Report {
  return { ...head, rows: measures.map((measure) => makeRow(measure, head.unitMicros)) };
}

export function hasMissed(report: Report): boolean {
  return report.rows.some((row) => row.verdict === "MISSED");
}

function makeRow({ name, kind, runs, peer, bound }: Measure, unitMicros: number): Row {
  const sorted = runs.toSorted((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) {
    throw new RangeError(`expected at least one run of ${name}, got none`);
  }
  const rule = RULES[kind];
  const ratio = (unitMicros / REFERENCE_UNIT_MICROS) ** rule.scale;
  const spread = { median: medianOf(sorted), min, max };
  const scaledBound = bound && { kind: bound.kind, value: bound.value * ratio };
  return {
    name,
    kind,
    ...spread,
    unit: rule.unit,
    ...(kind === "cpu" && { units: spread.median / unitMicros }),
    ...(peer && { peer: { name: peer.name, value: peer.value * ratio } }),
    ...(scaledBound && { bound: scaledBound }),
    verdict: decideVerdict(spread, rule.better, scaledBound),
  };
}

function decideVerdict(
  { median, min, max }: Pick<Row, "median" | "min" | "max">,
  better: KindRule["better"],
  bound: Measure["bound"],
): Verdict {
  if (bound === undefined) return "none";
  const holds = (value: number): boolean =>
    better === "lower" ? value <= bound.value : value >= bound.value;
  if (holds(median)) return "met";
  if (bound.kind === "goal") return "goal";
  return holds(better === "lower" ? min : max) ? "unclear" : "MISSED";
}

function medianOf(sorted: readonly number[]): number {
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
  return (lower + upper) / 2;
}
