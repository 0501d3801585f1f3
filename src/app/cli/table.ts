/**
 * Tables for people: columns as wide as their widest cell, upper-case headers, nothing that a pipe
 * cannot cut.
 */

import { styleText } from "node:util";

import { printable } from "./text.ts";

export interface Column {
  readonly header: string;
  /** Numbers read best flush right. */
  readonly align?: "left" | "right";
}

/** An empty text is shown as `-`, so that every column can be cut by spaces. */
export type Cell = string | { readonly text: string; readonly colour: CellColour };

export type CellColour = "green" | "yellow" | "red";

/** @param options.colour whether the reader can see it; see `wantsColour` */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: { readonly colour: boolean },
): string {
  const header = columns.map((column) => column.header.toUpperCase());
  const lines = [header, ...rows].map((cells) => columns.map((_, index) => cellOf(cells[index])));
  const widths = columns.map((_, index) => {
    return Math.max(...lines.map((cells) => cells[index]?.text.length ?? 0));
  });
  const formatted = lines.map((cells) => {
    const padded = cells.map((cell, index) =>
      pad(cell, columns[index], widths[index] ?? 0, options),
    );
    return `${padded.join(COLUMN_GAP).trimEnd()}\n`;
  });
  return formatted.join("");
}

const COLUMN_GAP = "   ";

interface PlainCell {
  readonly text: string;
  readonly colour: CellColour | undefined;
}

function cellOf(cell: Cell = ""): PlainCell {
  const { text, colour } = typeof cell === "string" ? { text: cell, colour: undefined } : cell;
  return { text: text === "" ? "-" : printable(text), colour };
}

function pad(
  { text, colour }: PlainCell,
  column: Column | undefined,
  width: number,
  options: { readonly colour: boolean },
): string {
  const space = " ".repeat(width - text.length);
  const shown =
    colour === undefined || !options.colour
      ? text
      : styleText(colour, text, { validateStream: false });
  return column?.align === "right" ? space + shown : shown + space;
}
