/** A verdict for people: the line, who would be refused, whose evidence is missing, and what is known of each. */

import { styleText } from "node:util";
import { formatCount, formatRelative } from "./format.ts";
import { verdictLine } from "./mtls-verdict-line.ts";
import type { CallerValue, SilentValue, VerdictValue } from "./mtls-verdict-value.ts";
import { holderCell, kindWords, noteLines, verdictColour } from "./mtls-verdict-words.ts";
import { countsText } from "./mtls-waivers.ts";
import { formatTable, type Cell, type Column } from "./table.ts";
import { firstOf, printable } from "./text.ts";

export interface VerdictView {
  readonly colour: boolean;
  /** Whether the look-back is another than the server's. */
  readonly isAsked: boolean;
  /** Of a terminal; undefined where lines may be as long as they are. */
  readonly columns?: number | undefined;
}

export function verdictText(value: VerdictValue, view: VerdictView): string {
  const nowMs = Date.parse(value.now);
  const tables = [
    callerTable(value, nowMs, view),
    silentTable(value, nowMs, view),
    countsText(value.waivers, value.target),
    noteLines(value),
  ].filter((each) => each !== "");
  return [`${headLine(value, view)}\n`, ...tables].join("\n");
}

/** The verdict itself in the colour of its kind. */
function headLine(value: VerdictValue, { colour, isAsked }: VerdictView): string {
  const line = printable(verdictLine(value, isAsked));
  if (!colour) return line;
  const [word = ""] = line.split(/[ :]/, 1);
  const style = verdictColour(value.verdict);
  return styleText(style, word, { validateStream: false }) + line.slice(word.length);
}

const rowsMax = 100;

/** "" for nobody. Whoever is in the way comes first. */
function callerTable(
  { callers, since }: VerdictValue,
  nowMs: number,
  view: Pick<VerdictView, "colour" | "columns">,
): string {
  const isOlder = callers.some(({ firstSeen }) => Date.parse(firstSeen) < Date.parse(since));
  const foot = isOlder
    ? "  COUNT and FIRST are of whole hours: some of it is older than the look-back\n"
    : "";
  const sorted = byWaived(callers);
  const headers = ["caller", "holder", "kind", "called", "count", "first", "last", "says"];
  const rows = table(sorted, headers, view, (each) => [
    each.name,
    holderCell(each),
    kindWords(each),
    firstOf(each.called, 1),
    formatCount(each.count),
    timeCell(each.firstSeen, nowMs),
    timeCell(each.lastSeen, nowMs),
    each.claim,
  ]);
  return rows + foot;
}

/** Of what was before the look-back nobody was asked. */
function silentTable(
  { silent, since }: VerdictValue,
  nowMs: number,
  view: Pick<VerdictView, "colour" | "columns">,
): string {
  const hasEnd = silent.some(({ until }) => until !== "");
  const headers = ["proxy", "reason", "since", ...(hasEnd ? ["until"] : [])];
  return table(byWaived(silent), headers, view, (each) => [
    each.name,
    each.lost === 0 ? each.reason : `${each.reason} (${formatCount(each.lost)})`,
    each.since === since ? `over ${timeCell(since, nowMs)}` : timeCell(each.since, nowMs),
    ...(hasEnd ? [timeCell(each.until, nowMs)] : []),
  ]);
}

type Row = CallerValue | SilentValue;

/** With a column for those who are waived where somebody is, and what the server knows of each below. */
function table<T extends Row>(
  rows: readonly T[],
  headers: readonly string[],
  { colour, columns: width }: Pick<VerdictView, "colour" | "columns">,
  cellsOf: (row: T) => readonly Cell[],
): string {
  if (rows.length === 0) return "";
  const shown = rows.slice(0, rowsMax);
  const hasWaived = rows.some(({ waived }) => waived);
  const columns: readonly Column[] = [...headers, ...(hasWaived ? ["waived"] : [])].map((header) =>
    header === "count" ? { header, align: "right" } : { header },
  );
  const cells = shown.map((row) => [...cellsOf(row), row.waived ? "yes" : ""]);
  const more = rows.length - shown.length;
  const cut = more > 0 ? `and ${more} more: -o json has all\n` : "";
  return formatTable(columns, cells, { colour, width }) + detailLines(shown) + cut;
}

/** Each once, with those of whom it is said. */
function detailLines(rows: readonly Row[]): string {
  const byDetail = Map.groupBy(rows, detailOf);
  byDetail.delete("");
  const lines = Array.from(byDetail, ([detail, all]) => {
    const names = new Set(all.map(({ name }) => name));
    return `  ${printable(`${firstOf([...names])}: ${detail}`)}\n`;
  });
  return lines.join("");
}

function detailOf(row: Row): string {
  const addresses = "addresses" in row ? row.addresses.filter((each) => each !== row.name) : [];
  return [firstOf(addresses), row.detail].filter((part) => part !== "").join("; ");
}

function byWaived<T extends Row>(rows: readonly T[]): readonly T[] {
  return rows.toSorted((a, b) => Number(a.waived) - Number(b.waived));
}

function timeCell(time: string, nowMs: number): string {
  return time === "" ? "" : formatRelative(Date.parse(time), nowMs);
}
