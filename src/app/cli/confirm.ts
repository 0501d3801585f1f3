/** What may fail is asked for, and only the word itself, typed in full by a person at a terminal, is a yes. */

import { ExitCode, type Context } from "./command.ts";

export interface Question {
  /** It ends where the answer begins. */
  readonly text: string;
  readonly wanted: string;
  /** What has not happened without that answer. */
  readonly nothing: string;
  /** For whoever has no terminal, or answers something else: a verb's way to refuse. */
  readonly refuse: (code: string, message: string) => Promise<ExitCode>;
}

/** @returns `ok` for the wanted word, `refused` for any other answer or none, `error` when it was interrupted */
export async function confirm(
  { ask, stderr, signal }: Pick<Context, "ask" | "stderr" | "signal">,
  { text, wanted, nothing, refuse }: Question,
): Promise<ExitCode> {
  const code = "confirmation-missing";
  if (ask === undefined) {
    return await refuse(code, `expected a terminal to ask at, got none: ${nothing}`);
  }
  const answer = await ask(text);
  if (answer?.trim() === wanted) return ExitCode.ok;
  // The question's line has no end yet.
  if (answer === undefined) stderr.write("\n");
  if (signal.aborted) {
    stderr.write(`interrupted: ${nothing}\n`);
    return ExitCode.error;
  }
  return await refuse(code, `expected ${wanted}, got another answer: ${nothing}`);
}
