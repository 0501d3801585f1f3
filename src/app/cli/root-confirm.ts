/** What may fail is asked for, and only the word itself, typed in full by a person at a terminal, is a yes. */

import { ExitCode, type Context } from "./command.ts";
import { refusal } from "./root-change-value.ts";
import type { Refuse } from "./root-change.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { NextValue } from "./root-next.ts";

export interface Question {
  /** It ends where the answer begins. */
  readonly text: string;
  readonly wanted: string;
  /** What has not happened without that answer. */
  readonly nothing: string;
  /** For whoever has no terminal. */
  readonly next: readonly NextValue[];
  /** Whom it is about, for programs: people have read it. */
  readonly about: readonly LaggardValue[];
}

/** @returns `ok` for the wanted word, `refused` for any other answer or none, `error` when it was interrupted */
export async function confirm(
  { ask, stderr, signal }: Pick<Context, "ask" | "stderr" | "signal">,
  { text, wanted, nothing, next, about }: Question,
  refuse: Refuse,
): Promise<ExitCode> {
  const code = "confirmation-missing";
  if (ask === undefined) {
    const message = `expected a terminal to ask at, got none: ${nothing}`;
    return await refuse(refusal(code, message, next, about));
  }
  const answer = await ask(text);
  if (answer?.trim() === wanted) return ExitCode.ok;
  // The question's line has no end yet.
  if (answer === undefined) stderr.write("\n");
  if (signal.aborted) {
    stderr.write(`interrupted: ${nothing}\n`);
    return ExitCode.error;
  }
  return await refuse(
    refusal(code, `expected ${wanted}, got another answer: ${nothing}`, next, about),
  );
}
