/**
 * What may be done next, as servers and verbs say it: clauses apart by "; ", in each of which a command, if
 * there is one, lasts to the end. So it can be pasted, by people and by programs.
 */

import { pasteable, type ServerTarget } from "./server-target.ts";
import { wordsOf } from "./server-words.ts";
import { printable, wrap } from "./text.ts";

export type NextValue = {
  /** Empty for what no command of ours does. Words in capitals are the reader's to fill in. */
  readonly command: string;
  readonly why: string;
};

export function nextOf(target: ServerTarget, text: string): readonly NextValue[] {
  const clauses = text.split(/\n|; /).filter((each) => each !== "");
  return clauses.map((clause) => {
    const at = clause.search(/\bportcullis [a-z]/);
    if (at === -1) return { command: "", why: clause };
    const why = clause.slice(0, at).replace(/:? $/, "");
    return { command: pasteable(target, clause.slice(at)), why };
  });
}

/** On one line: a command that is broken cannot be pasted. */
function nextText({ command, why }: NextValue, nowMs: number): string {
  const said = [why === "" ? [] : [wordsOf(why, nowMs)], command === "" ? [] : [command]].flat();
  return printable(said.join(": "));
}

/** A line for each. */
export function nextLines(label: string, next: readonly NextValue[], nowMs: number): string {
  return next.map((each) => `${label}: ${nextText(each, nowMs)}\n`).join("");
}

/** The words within `width`, and the command on a line of its own where it does not fit beside them. */
export function wrapNext(
  { command, why }: NextValue,
  width: number,
  nowMs: number,
): readonly string[] {
  const whole = nextText({ command, why }, nowMs);
  if (command === "") return wrap(whole, width);
  if (why === "" || whole.length <= width) return [whole];
  return [...wrap(`${printable(wordsOf(why, nowMs))}:`, width), printable(command)];
}
