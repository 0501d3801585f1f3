/** The demo's command line. */

import { parseArgs } from "node:util";
import { UsageError } from "../cli/usage-error.ts";

export interface DemoOptions {
  /** Draws the moments of the two kills. */
  readonly seed: number;
  /** Leave everything running after the summary. */
  readonly stay: boolean;
  /** The summary as JSON on standard output; the story then goes to standard error. */
  readonly json: boolean;
  readonly help: boolean;
}

export const demoUsage = `A control plane, two workloads, two real Envoys, and for a minute
100 requests/s over mTLS, each on a new connection: through renewals, and through the death of
the control plane and of an agent.

Usage:
  npm run demo -- [flags]

Flags:
  --seed N   draw the moments of the two kills by this number (default a random one)
  --stay     leave everything running after the summary, with commands to try
  --json     print the summary as JSON; the story goes to standard error
  -h, --help show this help

Exits 0 only if nothing failed and both Envoys accepted and used two renewals.
`;

/** @throws UsageError */
export function parseDemoOptions(argv: readonly string[], anySeed: number): DemoOptions {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        seed: { type: "string" },
        stay: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { stay, json, help } = values;
    return { seed: values.seed === undefined ? anySeed : parseSeed(values.seed), stay, json, help };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError("usage-unknown-flag", message, { cause, hint });
  }
}

const hint = "npm run demo -- --help";

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d{1,10}$/.test(text) && seed < 2 ** 32) return seed;
  const message = `--seed: expected an integer below 2^32, got ${JSON.stringify(text)}`;
  throw new UsageError("usage-invalid-value", message, { hint });
}
