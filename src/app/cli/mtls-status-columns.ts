/** The columns of `mtls status`: those that are always there, and those that a date, or a narrow terminal, brings or takes. */

import {
  becauseOf,
  callersOf,
  causeOf,
  dateOf,
  inForceOf,
  mtlsCell,
  stateCell,
} from "./mtls-status-cells.ts";
import { hasDate, isOverdue, untilText } from "./mtls-status-debt.ts";
import type { PortValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { formatTable, widthOf, type Cell } from "./table.ts";
import { firstOf, printable } from "./text.ts";

export interface StatusRow {
  readonly proxy: ProxyPolicyValue;
  /** Undefined of one without ports. */
  readonly port: PortValue | undefined;
}

export interface StatusView {
  readonly colour: boolean;
  readonly nowMs: number;
  /** Of the terminal; undefined where there is none, and lines may be as long as they are. */
  readonly columns: number | undefined;
}

interface StatusColumn {
  readonly header: string;
  readonly align?: "right";
  readonly cell: (row: StatusRow) => Cell;
}

/**
 * Whole, or without what a narrow terminal has no room for: a proxy that is named like its workload, and the object, which then has
 * lines; what is too long even so is cut.
 */
export function statusTable(rows: readonly StatusRow[], view: StatusView): string {
  const all = columnsOf(rows, view);
  const draw = (columns: readonly StatusColumn[], colour: boolean, width?: number): string => {
    const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
    return formatTable(columns, cells, { colour, width });
  };
  const fits = (columns: readonly StatusColumn[]): boolean =>
    view.columns === undefined || widthOf(draw(columns, false)) <= view.columns;
  if (fits(all)) return draw(all, view.colour);
  const isNamed = rows.every(({ proxy }) => proxy.workload?.endsWith(`/${proxy.proxy}`) === true);
  const short = isNamed ? without(all, "proxy") : all;
  if (fits(short)) return draw(short, view.colour);
  const bare = without(short, "because");
  if (fits(bare)) return `${draw(bare, view.colour)}${belowLines(rows, causeOf)}`;
  const least = without(without(bare, "until"), "owner");
  return `${draw(least, view.colour, view.columns)}${belowLines(rows, causeOf)}${belowLines(rows, dateOf)}`;
}

function without(columns: readonly StatusColumn[], header: string): readonly StatusColumn[] {
  return columns.filter((each) => each.header !== header);
}

function columnsOf(rows: readonly StatusRow[], { nowMs }: StatusView): readonly StatusColumn[] {
  const isDated = rows.some(({ port }) => port !== undefined && hasDate(port));
  const hasOwner = rows.some(({ port }) => port !== undefined && port.owner !== null);
  const ofPort =
    (cell: (port: PortValue) => Cell) =>
    ({ port }: StatusRow): Cell =>
      port === undefined ? "" : cell(port);
  const until = (port: PortValue): Cell =>
    isOverdue(port, nowMs) ? { text: untilText(port), colour: "red" } : untilText(port);
  return [
    { header: "workload", cell: ({ proxy }) => proxy.workload ?? proxy.spiffeId },
    { header: "proxy", cell: ({ proxy }) => proxy.proxy },
    { header: "port", align: "right", cell: ofPort(({ port }) => String(port)) },
    { header: "wanted", cell: ofPort(({ wanted }) => wanted ?? "") },
    { header: "in force", cell: ofPort(inForceOf) },
    { header: "mtls", align: "right", cell: ofPort(mtlsCell) },
    { header: "plaintext", align: "right", cell: ofPort(callersOf) },
    ...(isDated ? [{ header: "until", cell: ofPort(until) }] : []),
    ...(hasOwner ? [{ header: "owner", cell: ofPort(({ owner }) => owner ?? "") }] : []),
    { header: "because", cell: ofPort(becauseOf) },
    { header: "state", cell: ({ proxy, port }) => stateCell(proxy, port) },
  ];
}

/** In the place of a column: each of its texts once. */
function belowLines(rows: readonly StatusRow[], textOf: (port: PortValue) => string): string {
  const byText = Map.groupBy(rows, ({ port }) => (port === undefined ? "" : textOf(port)));
  byText.delete("");
  const lines = Array.from(byText, ([text, all]) => {
    const names = all.map(
      ({ proxy, port }) => `${proxy.workload ?? proxy.spiffeId}:${port?.port ?? ""}`,
    );
    return `${printable(`${text}: ${firstOf(names)}`)}\n`;
  });
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}
