/**
 * The figures of the last release of speed, committed, so that a change that makes something slower fails. CPU, rates and
 * latencies are kept in units, so that the baseline of one machine serves on another; what is compared is the best run, so
 * that a busy moment is no regression.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report, Row } from "./report.ts";

const path = join(import.meta.dirname, "baseline.json");

/** How much worse than the baseline the best run may be: one commit was seen to differ by 1.6 within an hour. */
const tolerance = 1.6;

/** By the row's name: its median, scaled to a unit of one microsecond; higher is worse. */
export type Baseline = ReadonlyMap<string, number>;

export async function readBaseline(): Promise<Baseline> {
  try {
    const text = await readFile(path, "utf8");
    return new Map(Object.entries(JSON.parse(text) as Record<string, number>));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
}

export async function writeBaseline(report: Report): Promise<void> {
  const entries = report.rows.map((row) => [row.name, costOf(row, row.median, report.unitMicros)]);
  await writeFile(path, `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`);
}

/** @returns one text for each row that got worse */
export function compareWithBaseline(report: Report, baseline: Baseline): string[] {
  return report.rows.flatMap((row) => {
    const before = baseline.get(row.name);
    if (before === undefined) return [];
    const best = row.kind === "rate" ? row.max : row.min;
    const ratio = costOf(row, best, report.unitMicros) / before;
    return ratio <= tolerance
      ? []
      : [`${row.name}: ${ratio.toFixed(2)} times the baseline, at most ${tolerance} is noise`];
  });
}

function costOf({ kind }: Pick<Row, "kind">, value: number, unitMicros: number): number {
  switch (kind) {
    case "cpu":
    case "latency":
      return value / unitMicros;
    case "rate":
      return 1e6 / value / unitMicros;
    case "share":
      return 1 / value;
    case "duration":
    case "memory":
    case "size":
      return value;
    // What was refused is told, and no figure of speed.
    case "count":
      return 1;
    default:
      return kind satisfies never;
  }
}
