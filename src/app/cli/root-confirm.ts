/** What may fail is asked for, and only the word itself, typed in full by a person at a terminal, is a yes. */

import { ExitCode, type Context } from "./command.ts";

export interface Question {
  /** It ends where the answer begins. */
  readonly text: string;
  readonly wanted: string;
  /** What has not happened without that answer. */
  readonly nothing: string;
  /** For whoever has no terminal. */
  readonly hint: string;
}

/** @returns `ok` for the wanted word, `refused` for any other answer or none, `error` when it was interrupted */
export async function confirm(
  { ask, stderr, signal }: Pick<Context, "ask" | "stderr" | "signal">,
  { text, wanted, nothing, hint }: Question,
): Promise<ExitCode> {
  if (ask === undefined) {
    stderr.write(`refused: expected a terminal to ask at, got none: ${nothing}\nhint: ${hint}\n`);
    return ExitCode.refused;
  }
  const answer = await ask(text);
  if (answer?.trim() === wanted) return ExitCode.ok;
  // The question's line has no end yet.
  if (answer === undefined) stderr.write("\n");
  if (signal.aborted) {
    stderr.write(`interrupted: ${nothing}\n`);
    return ExitCode.error;
  }
  stderr.write(`refused: expected ${wanted}, got another answer: ${nothing}\n`);
  return ExitCode.refused;
}
