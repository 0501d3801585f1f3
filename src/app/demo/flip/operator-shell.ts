/** The operator at a terminal: verbs as anybody would type them, and what they say, line by line as it comes. */

import type { TextSink } from "../../cli/command.ts";
import { REGISTRY } from "../../cli/registry.ts";
import { runCli } from "../../cli/run.ts";

export interface OperatorShellOptions {
  /** A gRPC target. */
  readonly admin: string;
  readonly nowMs: () => number;
  /** Takes what is typed. */
  readonly onCommand: (text: string) => void;
  /** Takes what is answered. */
  readonly onLine: (line: string) => void;
}

const columns = 100;

export class OperatorShell {
  readonly #options: OperatorShellOptions;

  constructor(options: OperatorShellOptions) {
    this.#options = options;
  }

  /** @param words after `portcullis` @param label of each line that is answered, where two run at a time @returns the exit code */
  async run(words: readonly string[], signal: AbortSignal, label = ""): Promise<number> {
    const { admin, nowMs, onCommand, onLine: say } = this.#options;
    const onLine = (line: string): void => say(`${label}${line}`);
    onCommand(`$ portcullis ${words.map(quoted).join(" ")}`);
    const [stdout, stderr] = [new Lines(onLine), new Lines(onLine)];
    const env = { USER: "ada", PORTCULLIS_ADMIN: admin };
    const context = { stdout, stderr, env, signal, nowMs, isTty: false, columns };
    const code = await runCli(words, { ...context, registry: REGISTRY });
    for (const lines of [stdout, stderr]) lines.end();
    return code;
  }
}

class Lines implements TextSink {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): boolean {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line);
    return true;
  }

  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
  }
}

function quoted(word: string): string {
  return word.includes(" ") ? JSON.stringify(word) : word;
}
