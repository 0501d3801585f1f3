/** What a server says of a rotation, for people: harmless, and with times as the tables have them. */

import { formatRelative } from "./format.ts";
import { isGate } from "./root-judgement.ts";
import { printable, wrap } from "./text.ts";

export function wordsOf(text: string, nowMs: number): string {
  return printable(text.replaceAll(times, (found, time: string) => relative(time, nowMs) ?? found));
}

/** One for each thing to do: what is to be pasted begins or ends a line. */
export function hintsOf(text: string): readonly string[] {
  return text.split(/\n|; /).filter((each) => each !== "");
}

/** A closed gate's cause without the names: a table has all of them. */
export function causeOf(code: string, text: string): string {
  return isGate(code) ? text.replace(/(, got \d+): .*/s, "$1") : text;
}

/** `wrap`, but for commands and their flags: they are to be pasted, and stay on one line. */
export function wrapWords(text: string, width: number): readonly string[] {
  const kept = text.replaceAll(commands, (command) => command.replaceAll(" ", unbroken));
  return wrap(kept, width).map((line) => line.replaceAll(unbroken, " "));
}

const unbroken = "\u00A0";
/** Up to the first word that is no verb, flag or value of `--data-dir` or `--admin`. */
const commands =
  /\bportcullis(?: [a-z-]+){1,2}(?: --(?:data-dir|admin) (?:'[^']*'|\S+))?(?: --[a-z-]+)?/g;

/** With the word before it, which does not go with a span. */
const times = /(?:\b(?:since|at) )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/g;

function relative(time: string, nowMs: number): string | undefined {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : formatRelative(ms, nowMs);
}
