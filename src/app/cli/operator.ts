/** Who gives a command, and why: what every verb has in common whose command the log keeps. */

import type { Environment } from "../../edge/config/paths.ts";
import { CommandRefusedError } from "../../edge/rpc/command-client.ts";
import { UsageError } from "./usage-error.ts";

export const claimFlags = {
  reason: {
    type: "string",
    valueName: "TEXT",
    help: "why, for the log: one line of at most 200 characters",
    required: true,
  },
  operator: {
    type: "string",
    valueName: "NAME",
    help: "who does it, for the log; claimed, not proved",
    notes: ["default env USER, else the uid", "in a cluster the token says who"],
  },
} as const;

export const dryRunFlag = {
  "dry-run": { type: "boolean", help: "say what would be done, and change nothing" },
} as const;

/** Whoever is not told who it is, says as what it runs. */
export function operatorName(given: string | undefined, env: Environment): string {
  return given ?? (env["USER"] || `uid ${process.geteuid?.() ?? "unknown"}`);
}

/** What the server cannot understand is a mistake in the command line. @param verb its words */
export async function asUsage<T>(verb: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof CommandRefusedError) || cause.code !== "command-invalid") throw cause;
    const hint = cause.hint ?? `portcullis help ${verb}`;
    throw new UsageError("usage-invalid-value", cause.message, { cause, hint });
  }
}
