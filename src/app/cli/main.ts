/**
 * The process around the frame: streams, signals, clock. The exit code is set, never forced, so
 * that what a verb still has to flush or dispose of is done first.
 */

import { constants } from "node:os";
import { isatty } from "node:tty";

import { ExitCode } from "./command.ts";
import { REGISTRY } from "./registry.ts";
import { runCli } from "./run.ts";
import { askLine } from "./terminal.ts";

const interruption = new AbortController();
let received: NodeJS.Signals | undefined;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // Once: a second signal ends the process in the system's own way.
  process.once(signal, () => {
    received = signal;
    interruption.abort();
  });
}

let outputError: NodeJS.ErrnoException | undefined;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  outputError = error;
  interruption.abort();
});
// There is nowhere left to say that nothing can be said.
process.stderr.on("error", () => {});

let exitCode: number = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interruption.signal,
  nowMs: Date.now,
  isTty: isatty(1),
  // The question goes to stderr: stdout may be a pipe.
  ...(isatty(0) &&
    isatty(2) && {
      ask: (question: string) =>
        askLine(question, process.stdin, process.stderr, interruption.signal),
    }),
  // Asked each time: a window is resized while something goes on.
  get columns() {
    return process.stdout.columns || 80;
  },
  registry: REGISTRY,
});

// A write fails only later; an empty one comes back after those before it.
await new Promise((resolve) => process.stdout.write("", resolve));
if (outputError?.code === "EPIPE") {
  // `portcullis status | head -1`: the reader has what it wanted.
  if (exitCode === ExitCode.error) exitCode = ExitCode.ok;
} else if (outputError !== undefined) {
  process.stderr.write(`error: cannot write the output: ${outputError.message}\n`);
  exitCode = ExitCode.error;
} else if (received !== undefined && exitCode === ExitCode.error) {
  // Interrupted in its work it ends as shells expect of a signal. A verb that stopped cleanly said
  // so itself.
  exitCode = 128 + constants.signals[received];
}
process.exitCode = exitCode;
// A connection that is still being made cannot be called back: it does not hold a process that is done.
setTimeout(() => process.exit(), 1_000).unref();
