/** The report for people. */

import { RULES, type Report, type Row } from "./report.ts";
import { REFERENCE_UNIT_MICROS } from "./unit.ts";

export function formatReport(report: Report): string {
  const { machine } = report;
  const title = ["measure", "median", "min..max", "", "units", "peer", "bound", "verdict"];
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, ${machine.memoryMiB} MiB`,
    `system   ${machine.system}, node ${machine.node}`,
    `unit     ${format(report.unitMicros)} us (P-256 sign + verify)`,
    `commit   ${report.commit}, seed ${report.seed}`,
    "",
    ...formatTable([title, ...report.rows.map(formatCells)]),
    "",
    `peers and bounds are for a unit of ${REFERENCE_UNIT_MICROS} us and scaled to this machine`,
  ].join("\n");
}

function formatCells(row: Row): string[] {
  const sign = RULES[row.kind].better === "lower" ? "<=" : ">=";
  return [
    row.name,
    format(row.median),
    row.min === row.max ? "" : `${format(row.min)}..${format(row.max)}`,
    row.unit,
    row.units === undefined ? "" : row.units.toFixed(2),
    row.peer === undefined ? "" : `${format(row.peer.value)} ${row.peer.name}`,
    row.bound === undefined ? "" : `${sign} ${format(row.bound.value)}`,
    row.verdict === "none" ? "" : row.verdict,
  ];
}

function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Three significant digits or more: what lies behind them is noise. */
function format(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
