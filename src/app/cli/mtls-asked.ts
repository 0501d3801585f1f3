/** What an operator gave with a verb, so that the next command that is printed asks for the same and can be pasted as it is. */

import { formatDuration } from "./format.ts";
import type { NextValue } from "./next-commands.ts";
import { shellText } from "./server-target.ts";
import { waiverWords, type Wanted } from "./waiver-flags.ts";

export interface Asked {
  /** In seconds; undefined for the server's setting. */
  readonly lookBack: number | undefined;
  /** Of a flip, but for its waivers: `--to strict`, and what else was given. */
  readonly words?: readonly string[];
  readonly wanted?: Wanted | undefined;
}

/** Of a flip that is to come, without waivers. */
export function flipWordsOf({ lookBack, words }: Asked): readonly string[] {
  return words ?? ["--to", "strict", ...lookBackWords(lookBack)];
}

/** Commands as a server names them, which does not know what else was given. */
export function asAsked(next: readonly NextValue[], asked: Asked): readonly NextValue[] {
  return next.map((each) => ({ ...each, command: commandAsAsked(each.command, asked) }));
}

function commandAsAsked(command: string, asked: Asked): string {
  if (/^portcullis mtls (?:check|plan)\b/.test(command)) {
    const words = command.includes(" --look-back ") ? [] : lookBackWords(asked.lookBack);
    return [command, ...words].join(" ");
  }
  const waivers = asked.wanted === undefined ? [] : waiverWords(asked.wanted);
  const words = [...flipWordsOf(asked), ...waivers];
  const output = words.indexOf("-o");
  // It has its own.
  if (output !== -1 && command.includes(" -o ")) words.splice(output, 2);
  return command.replace(/ --to strict(?= |$)/, () => ` ${shellText(words)}`);
}

function lookBackWords(seconds: number | undefined): readonly string[] {
  return seconds === undefined ? [] : ["--look-back", formatDuration(seconds)];
}
