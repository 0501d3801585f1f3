/** What goes on, while it goes on: a few live lines at a terminal, a line for each change elsewhere, or an object a line. */

import type { Context } from "./command.ts";
import type { JsonValue } from "./output.ts";
import { cut, printable } from "./text.ts";

export type ProgressFormat = "table" | "json" | "none";

type Fields = Readonly<Record<string, JsonValue | undefined>>;

/** Where it is too long it is cut in its middle; one with names, which come first, in the prose about them. */
type LiveLine = string | { readonly names: string; readonly prose: string };

/** What is waited for, at one moment. */
export interface Waiting {
  /** On one line: what tells this moment from the one before. */
  readonly text: string;
  /** What follows it, and changes with each moment. */
  readonly time: string;
  /** The same at a terminal: each must be seen in a narrow one. */
  readonly lines: readonly LiveLine[];
  /** For programs. */
  readonly fields: Fields;
}

export class Progress {
  readonly #context: Context;
  readonly #format: ProgressFormat;
  #last = "";
  /** Live lines, above and at the cursor. */
  #shown = 0;

  constructor(context: Context, format: ProgressFormat) {
    this.#context = context;
    this.#format = format;
  }

  /** Whether programs read it, and people do not. */
  get isJson(): boolean {
    return this.#format === "json";
  }

  /** What has happened; it stays. */
  note(event: string, text: string, fields: Fields = {}): void {
    this.#last = "";
    if (this.#shown > 0) this.#show([]);
    if (this.#format === "json") this.#json({ event, text, ...fields });
    else if (this.#format === "table") this.#context.stdout.write(`${printable(text)}\n`);
  }

  /** For programs. @returns whether there are any */
  event(event: string, fields: Fields): boolean {
    if (this.#format !== "json") return false;
    this.#json({ event, ...fields });
    return true;
  }

  /** Elsewhere than at a terminal it is said again only when it has changed, but for the time. */
  wait({ text, time, lines, fields }: Waiting): void {
    if (this.#format === "json") this.#once(text, { event: "wait", text, ...fields });
    else if (this.#context.isTty) this.#show(lines);
    else this.#say(text, time);
  }

  /** The server does not answer: it may be starting anew. @param what of which nothing is known meanwhile, and how it is */
  away(what: string): void {
    const text = `the server does not answer; ${what}`;
    if (this.#format === "json") this.#once(text, { event: "away", text });
    else if (this.#context.isTty) this.#show([text]);
    else this.#say(text, "");
  }

  /** Leaves the live lines behind, as they are. */
  end(): void {
    if (this.#shown > 0) this.#context.stdout.write("\n");
    this.#shown = 0;
  }

  /** In the place of what was shown before. A line that the terminal would break could not be taken back. */
  #show(lines: readonly LiveLine[]): void {
    if (this.#format === "none") return;
    const { stdout, columns } = this.#context;
    const shown = lines.map((line) => fitting(line, columns - 1));
    const up = this.#shown > 1 ? `\u001B[${this.#shown - 1}A` : "";
    stdout.write(`\r${up}${clearBelow}${shown.join("\n")}`);
    this.#shown = shown.length;
  }

  #say(what: string, time: string): void {
    if (this.#format === "none" || what === this.#last) return;
    this.#context.stdout.write(`${printable(what + time)}\n`);
    this.#last = what;
  }

  #once(text: string, value: Fields): void {
    if (text === this.#last) return;
    this.#last = text;
    this.#json(value);
  }

  #json(value: Fields): void {
    this.#context.stdout.write(`${JSON.stringify(value)}\n`);
  }
}

function fitting(line: LiveLine, width: number): string {
  if (typeof line === "string") return cut(printable(line), width);
  const [names, prose] = [line.names, line.prose].map(printable) as [string, string];
  const room = width - names.length;
  if (prose.length <= room) return names + prose;
  return room < 2 ? cut(names, width) : `${names}${prose.slice(0, room - 1)}…`;
}

/** ECMA-48 ED: from here to the end of the screen. */
const clearBelow = "\u001B[J";
