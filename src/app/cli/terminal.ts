/** The one question that a verb may ask: of a person, at a terminal. Whatever goes wrong with it is no answer. */

import type { Readable } from "node:stream";
import type { TextSink } from "./command.ts";

const answerMax = 1_000;

/**
 * The terminal keeps its own line editing, so that Ctrl-C stays a signal.
 * @param question ends where the answer begins
 * @returns the line that was typed; undefined when the input ended, failed or was interrupted before its end
 */
export function askLine(
  question: string,
  input: Readable,
  output: TextSink,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let typed = "";
    const end = (answer?: string): void => {
      signal.removeEventListener("abort", giveUp);
      input.off("data", read);
      // It would keep the process.
      input.destroy();
      resolve(answer);
    };
    const giveUp = (): void => end();
    const read = (text: string): void => {
      typed += text;
      const [line = "", ...rest] = typed.split("\n");
      if (rest.length > 0) end(line);
      else if (typed.length > answerMax) end();
    };
    signal.addEventListener("abort", giveUp, { once: true });
    input.setEncoding("utf8").on("data", read).once("end", giveUp).once("error", giveUp);
    output.write(question);
  });
}
