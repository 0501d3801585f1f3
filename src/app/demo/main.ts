/**
 * `npm run demo`: streams, signals, clock and exit code. It exits 0 only if each act showed all
 * that it promises.
 */

import { constants } from "node:os";
import { isatty } from "node:tty";
import { PortcullisError } from "../../core/error.ts";
import { wantsColour } from "../cli/output.ts";
import { UsageError } from "../cli/usage-error.ts";
import { playActs } from "./acts.ts";
import type { DemoWorld } from "./demo.ts";
import { demoUsage, parseDemoOptions, type DemoOptions } from "./options.ts";

const interruption = new AbortController();
let received: NodeJS.Signals | undefined;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  // Each time: npm passes on what the terminal has sent already, and a second signal must not cut
  // the tear-down, which ends soon by itself.
  process.on(signal, () => {
    received ??= signal;
    interruption.abort();
  });
}
for (const stream of [process.stdout, process.stderr]) {
  // Nobody reads it any more.
  stream.on("error", () => interruption.abort());
}

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseDemoOptions(argv, Math.floor(Math.random() * 10_000));
    if (options.help) {
      process.stdout.write(demoUsage);
      return 0;
    }
    const results = await playActs(options, world(options));
    const ok = results.every(({ unmet }) => unmet.length === 0);
    if (options.json) {
      const acts = results.map(({ act, unmet, summary }) => ({ act, unmet, ...summary }));
      process.stdout.write(`${JSON.stringify({ ok, acts }, undefined, 2)}\n`);
    }
    return ok ? 0 : 1;
  } catch (error) {
    return report(error);
  }
}

function world({ json }: DemoOptions): DemoWorld {
  const sink = json ? process.stderr : process.stdout;
  const { env } = process;
  const isTty = isatty(sink.fd);
  return {
    sink,
    isTerminal: isTty && env["TERM"] !== "dumb",
    colour: wantsColour({ isTty, env }),
    env,
    nowMs: Date.now,
    random: Math.random,
    signal: interruption.signal,
  };
}

function report(error: unknown): number {
  if (interruption.signal.aborted) {
    process.stderr.write("interrupted: everything that was started is stopped\n");
    return received === undefined ? 1 : 128 + constants.signals[received];
  }
  const { message, hint } = error instanceof PortcullisError ? error : { message: String(error) };
  process.stderr.write(`error: ${message}\n`);
  if (hint !== undefined) process.stderr.write(`hint: ${hint}\n`);
  return error instanceof UsageError ? 2 : 1;
}
