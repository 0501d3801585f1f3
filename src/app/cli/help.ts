/** Help texts, made from the data of a verb and from nothing else. */

import type { Command, CommandEntry, Flag } from "./command.ts";
import { wrap } from "./text.ts";

/** The verbs of a noun, or all of them when `words` is empty. */
export function overview(
  words: readonly string[],
  entries: readonly CommandEntry[],
  columns: number,
): string {
  const usage = ["portcullis", ...words, "VERB [flags]"].join(" ");
  const rows = entries.map(({ path, summary }) => [path.join(" "), summary] as const);
  const more = 'Run "portcullis help VERB" for the flags and examples of a verb.';
  return sections([
    words.length === 0 ? wrap(TAGLINE, lineWidth(columns)) : [],
    titled("Usage", [usage]),
    titled("Verbs", definitions(rows, columns)),
    wrap(more, lineWidth(columns)),
  ]);
}

export function commandHelp(entry: CommandEntry, command: Command, columns: number): string {
  const { description = "", examples, positionals = [] } = command;
  const args = positionals.map(({ name, optional }) => (optional === true ? `[${name}]` : name));
  const usage = ["portcullis", ...entry.path, ...args, "[flags]"].join(" ");
  const argRows = positionals.map(({ name, help, choices }) => {
    return [name, choices === undefined ? help : `${help}: ${choices.join(", ")}`] as const;
  });
  const exampleLines = examples.flatMap(({ what, command: line }) => [
    `# ${what}`,
    ...line.split("\n"),
  ]);
  return sections([
    wrap(entry.summary, lineWidth(columns)),
    description === "" ? [] : wrap(description, lineWidth(columns)),
    titled("Usage", [usage]),
    titled("Arguments", definitions(argRows, columns)),
    titled("Flags", definitions(flagRows(command), columns)),
    titled("Examples", exampleLines),
  ]);
}

const TAGLINE =
  "Portcullis: a mesh certificate authority and mTLS identity service " +
  "that takes dangerous steps only on evidence";

// Long lines are hard to read, and the left column must leave room for the right one.
const LINE_WIDTH_MAX = 100;
const LEFT_WIDTH_MAX = 32;
const RIGHT_WIDTH_MIN = 24;

function lineWidth(columns: number): number {
  return Math.min(columns, LINE_WIDTH_MAX);
}

function flagRows({ flags }: Command): readonly (readonly [string, string])[] {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const value = flag.type === "boolean" ? "" : ` ${flag.valueName}`;
    return [`${shortFlag(flag.short)}--${name}${value}`, flagHelp(flag)] as const;
  });
  return [...rows, [`${shortFlag("h")}--help`, "show this help"]];
}

function shortFlag(short: string | undefined): string {
  return short === undefined ? "    " : `-${short}, `;
}

function flagHelp(flag: Flag): string {
  if (flag.type === "boolean") return flag.help;
  const notes = [
    flag.choices === undefined ? [] : [`one of ${flag.choices.join(", ")}`],
    flag.required === true ? ["required"] : [],
    flag.multiple === true ? ["may be repeated"] : [],
    flag.default === undefined ? [] : [`default ${flag.default}`],
    flag.env === undefined ? [] : [`env ${flag.env}`],
    flag.notes ?? [],
  ].flat();
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join("; ")})`;
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
}

/**
 * Two aligned columns, the right one wrapped; a left text that is too long has its line for itself.
 */
function definitions(
  rows: readonly (readonly [string, string])[],
  columns: number,
): readonly string[] {
  const longest = Math.max(0, ...rows.map(([left]) => left.length));
  const leftWidth = Math.min(longest, LEFT_WIDTH_MAX) + 2;
  const rightWidth = Math.max(lineWidth(columns) - leftWidth - 2, RIGHT_WIDTH_MIN);
  return rows.flatMap(([left, right]) => {
    const lines = wrap(right, rightWidth);
    const first = left.length + 2 > leftWidth ? [left] : [left.padEnd(leftWidth) + lines[0]];
    const rest = left.length + 2 > leftWidth ? lines : lines.slice(1);
    return [...first, ...rest.map((line) => " ".repeat(leftWidth) + line)];
  });
}

function sections(blocks: readonly (readonly string[])[]): string {
  const texts = blocks.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"));
  return `${texts.join("\n\n")}\n`;
}
