/**
 * Tables for people: columns as wide as their widest cell, upper-case headers, nothing that a pipe
 * cannot cut.
 */

import { styleText } from "node:util";

import { cut, printable } from "./text.ts";

export interface Column {
  readonly header: string;
  /** Numbers read best flush right. */
  readonly align?: "left" | "right";
}

/** An empty text is shown as `-`, so that every column can be cut by spaces. */
export type Cell = string | { readonly text: string; readonly colour: CellColour };

export type CellColour = "green" | "yellow" | "red";

export interface TableOptions {
  /** Whether the reader can see it; see `wantsColour`. */
  readonly colour: boolean;
  /** Of a terminal, in which the widest texts are cut; undefined: all of them are whole. */
  readonly width?: number | undefined;
}

export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): string {
  const header = columns.map((column) => column.header.toUpperCase());
  const lines = [header, ...rows].map((cells) => columns.map((_, index) => cellOf(cells[index])));
  const wanted = columns.map((_, index) => {
    return Math.max(...lines.map((cells) => cells[index]?.text.length ?? 0));
  });
  const widths = fittingWidths(columns, wanted, options.width);
  const formatted = lines.map((cells) => {
    const padded = cells.map((cell, index) =>
      pad(cell, columns[index], widths[index] ?? 0, options),
    );
    return `${padded.join(COLUMN_GAP).trimEnd()}\n`;
  });
  return formatted.join("");
}

/** Of its widest line, in characters; of one without colours. */
export function widthOf(table: string): number {
  return Math.max(...table.split("\n").map(({ length }) => length));
}

const COLUMN_GAP = "   ";
/** What is shorter says nothing any more. */
const NARROWEST = 8;

/** Numbers are never cut, and headers are not. */
function fittingWidths(
  columns: readonly Column[],
  wanted: readonly number[],
  width = Infinity,
): readonly number[] {
  const least = columns.map(({ header, align }) =>
    align === "right" ? Infinity : Math.max(NARROWEST, header.length),
  );
  const widths = [...wanted];
  const gaps = COLUMN_GAP.length * (columns.length - 1);
  let over = widths.reduce((sum, each) => sum + each, gaps) - width;
  while (over > 0) {
    const loose = widths.map((each, index) => (each > (least[index] ?? Infinity) ? each : 0));
    const widest = loose.indexOf(Math.max(...loose));
    if (loose[widest] === 0 || loose[widest] === undefined) break;
    widths[widest] = loose[widest] - 1;
    over -= 1;
  }
  return widths;
}

interface PlainCell {
  readonly text: string;
  readonly colour: CellColour | undefined;
}

function cellOf(cell: Cell = ""): PlainCell {
  const { text, colour } = typeof cell === "string" ? { text: cell, colour: undefined } : cell;
  return { text: text === "" ? "-" : printable(text), colour };
}

function pad(
  { text: whole, colour }: PlainCell,
  column: Column | undefined,
  width: number,
  options: TableOptions,
): string {
  const text = cut(whole, width);
  const space = " ".repeat(width - text.length);
  const shown =
    colour === undefined || !options.colour
      ? text
      : styleText(colour, text, { validateStream: false });
  return column?.align === "right" ? space + shown : shown + space;
}
