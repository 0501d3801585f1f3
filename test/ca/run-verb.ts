/** A verb without its command line. */

import type { Command, ExitCode } from "../../src/app/cli/command.ts";

export type Flags = Readonly<Record<string, string | undefined>>;

export interface VerbResult {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export async function runVerb(verb: Command, flags: Flags, nowMs: number): Promise<VerbResult> {
  let out = "";
  let err = "";
  const context = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => nowMs,
    isTty: false,
    columns: 80,
    registry: [],
  };
  const code = await verb.run(context, flags, []);
  return { code, out, err };
}
