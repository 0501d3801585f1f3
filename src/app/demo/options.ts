/** The demo's command line. */

import { parseArgs } from "node:util";
import { UsageError } from "../cli/usage-error.ts";

export type ActNumber = 1 | 2 | 3;

export interface DemoOptions {
  /** Draws the moments of the two kills, and who is frozen. */
  readonly seed: number;
  /** In this order. */
  readonly acts: readonly ActNumber[];
  /** Leave everything running after the summary. */
  readonly stay: boolean;
  /** The summary as JSON on standard output; the story then goes to standard error. */
  readonly json: boolean;
  readonly help: boolean;
}

export const demoUsage = `Act 1: a control plane, two workloads, two real Envoys, and for a minute
100 requests/s over mTLS, each on a new connection: through renewals, and through the death of
the control plane and of an agent.

Act 2: eight workloads that all call each other, while their root is replaced by another: one
agent is frozen and named, the new signer is rolled back once, the old root is withdrawn.

Act 3: three servers that take plaintext go strict: who still sends it is named, and moves; a
late caller is refused, and it is taken back.

Usage:
  npm run demo -- [flags]

Flags:
  --act N    play only act 1, 2 or 3 (default all)
  --seed N   draw the moments of the two kills, and who is frozen, by this number (default a
             random one)
  --stay     leave everything of act 1 running after its summary, with commands to try; without
             the others
  --json     print the summaries as JSON; the story goes to standard error
  -h, --help show this help

Exits 0 only if nothing failed and all was shown that an act promises.
`;

/** @throws UsageError */
export function parseDemoOptions(argv: readonly string[], anySeed: number): DemoOptions {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        act: { type: "string" },
        seed: { type: "string" },
        stay: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { stay, json, help } = values;
    const seed = values.seed === undefined ? anySeed : parseSeed(values.seed);
    return { seed, acts: parseActs(values.act, stay), stay, json, help };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError("usage-unknown-flag", message, { cause, hint });
  }
}

const hint = "npm run demo -- --help";
const all: readonly ActNumber[] = [1, 2, 3];

function parseActs(text: string | undefined, stay: boolean): readonly ActNumber[] {
  const acts =
    text === undefined ? (stay ? all.slice(0, 1) : all) : all.filter((act) => text === `${act}`);
  if (acts.length > 0 && (!stay || acts[0] === 1)) return acts;
  const message =
    acts.length > 0
      ? `--stay: expected act 1, which is the one that stays, got act ${text}`
      : `--act: expected 1, 2 or 3, got ${JSON.stringify(text)}`;
  throw new UsageError("usage-invalid-value", message, { hint });
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d{1,10}$/.test(text) && seed < 2 ** 32) return seed;
  const message = `--seed: expected an integer below 2^32, got ${JSON.stringify(text)}`;
  throw new UsageError("usage-invalid-value", message, { hint });
}
