/** The columns of `mtls status`: those that are always there, and those that a date, or a narrow terminal, brings or takes. */

import { refWords } from "../../core/resources/resource.ts";
import { isOverdue, untilText } from "./mtls-status-debt.ts";
import type { PortValue, ProxyPolicyValue } from "./mtls-status-value.ts";
import { formatTable, type Cell, type CellColour } from "./table.ts";
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

/** Whole, or without what a narrow terminal has no room for: a proxy that is named like its workload, and the object, which then has lines. */
export function statusTable(rows: readonly StatusRow[], view: StatusView): string {
  const all = columnsOf(rows, view);
  const draw = (columns: readonly StatusColumn[], colour: boolean): string => {
    const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
    return formatTable(columns, cells, { colour });
  };
  const fits = (columns: readonly StatusColumn[]): boolean =>
    view.columns === undefined || widthOf(draw(columns, false)) <= view.columns;
  if (fits(all)) return draw(all, view.colour);
  const isNamed = rows.every(({ proxy }) => proxy.workload?.endsWith(`/${proxy.proxy}`) === true);
  const short = isNamed ? without(all, "proxy") : all;
  if (fits(short)) return draw(short, view.colour);
  return `${draw(without(short, "because"), view.colour)}${becauseLines(rows)}`;
}

function widthOf(table: string): number {
  return Math.max(...table.split("\n").map(({ length }) => length));
}

function without(columns: readonly StatusColumn[], header: string): readonly StatusColumn[] {
  return columns.filter((each) => each.header !== header);
}

function columnsOf(rows: readonly StatusRow[], { nowMs }: StatusView): readonly StatusColumn[] {
  const hasDate = rows.some(({ port }) => port !== undefined && port.permissiveUntil !== null);
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
    { header: "mtls", align: "right", cell: ofPort(shareOf) },
    { header: "plaintext", align: "right", cell: ofPort(callersOf) },
    ...(hasDate ? [{ header: "until", cell: ofPort(until) }] : []),
    ...(hasOwner ? [{ header: "owner", cell: ofPort(({ owner }) => owner ?? "") }] : []),
    { header: "because", cell: ofPort(becauseOf) },
    { header: "state", cell: stateCell },
  ];
}

/** Of all connections within the look-back: never all or none of them by rounding. */
export function shareOf({ mtlsConnections: mtls, otherConnections: others }: PortValue): string {
  if (mtls + others === 0) return "";
  if (others === 0) return "100%";
  if (mtls === 0) return "0%";
  const tenths = Math.round((mtls / (mtls + others)) * 1_000);
  return `${(Math.min(999, Math.max(1, tenths)) / 10).toFixed(1)}%`;
}

function callersOf({ mtlsConnections, otherConnections, otherCallers }: PortValue): string {
  return mtlsConnections + otherConnections === 0 ? "" : String(otherCallers);
}

function inForceOf({ inForce, openPlaintext }: PortValue): string {
  const mode = inForce ?? "";
  if (openPlaintext === 0) return mode;
  return `${mode} (${openPlaintext} plaintext connection${openPlaintext === 1 ? "" : "s"} open)`;
}

function becauseOf({ because: { kind, namespace, name, rule } }: PortValue): string {
  if (kind === null) return "default";
  return `${refWords({ kind, namespace: namespace ?? "", name: name ?? "" })} (${rule})`;
}

/** In the place of a column: each object once. */
function becauseLines(rows: readonly StatusRow[]): string {
  const byObject = Map.groupBy(rows, ({ port }) => (port === undefined ? "" : becauseOf(port)));
  byObject.delete("");
  const lines = Array.from(byObject, ([object, all]) => {
    const names = all.map(
      ({ proxy, port }) => `${proxy.workload ?? proxy.spiffeId}:${port?.port ?? ""}`,
    );
    return `${printable(`because of ${object}: ${firstOf(names)}`)}\n`;
  });
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

const colours: ReadonlyMap<string, CellColour> = new Map<string, CellColour>([
  ["in-force", "green"],
  ["draining", "yellow"],
  ["unobserved", "yellow"],
  ["pushed", "yellow"],
  ["held", "yellow"],
  ["silent", "yellow"],
  ["unknown", "yellow"],
  ["refused", "red"],
]);

function stateCell({ proxy: { state }, port }: StatusRow): Cell {
  const text = `${state}${port === undefined ? "" : flipText(port)}`;
  const colour = colours.get(state);
  return colour === undefined ? text : { text, colour };
}

/** A flip holds it back, or it has opened its stage. */
function flipText({ flip, because }: PortValue): string {
  if (flip === null) return "";
  return because.rule === "flip" ? `, held back by flip ${flip}` : `, flip ${flip}`;
}
