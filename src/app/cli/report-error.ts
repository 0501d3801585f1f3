/** What an error looks like to the operator, and which exit code it means. */

import { inspect } from "node:util";

import { PortcullisError } from "../../core/error.ts";
import { ConfigError } from "../../edge/config/config-error.ts";
import type { AdminAccessCode } from "../../edge/rpc/admin-error.ts";
import { ExitCode, type Context } from "./command.ts";
import { printable } from "./text.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Writes `error` to stderr: for people, or as JSON when the command line asks for JSON. The stack
 * is shown only with PORTCULLIS_DEBUG=1, since it tells an operator nothing. An interruption is not
 * an error, and says nothing.
 */
export function reportError(error: unknown, argv: readonly string[], context: Context): ExitCode {
  if (isInterruption(error, context.signal)) return ExitCode.error;
  const report = describe(error);
  const text = asksForJson(argv) ? `${JSON.stringify({ error: report })}\n` : forPeople(report);
  context.stderr.write(text);
  if (context.env["PORTCULLIS_DEBUG"] === "1") context.stderr.write(`${inspect(error)}\n`);
  return exitOf(error);
}

function exitOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof ConfigError) return ExitCode.usage;
  // By the cluster's RBAC. Its class is not loaded with each command.
  const isDenied = error instanceof PortcullisError && error.code === forbidden;
  return isDenied ? ExitCode.refused : ExitCode.error;
}

const forbidden = "admin-forbidden" satisfies AdminAccessCode;

interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

function isInterruption(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}

function describe(error: unknown): ErrorReport {
  if (error instanceof PortcullisError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint !== undefined && { hint }) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, hint: "PORTCULLIS_DEBUG=1 shows where it happened" };
}

function forPeople({ message, hint }: ErrorReport): string {
  const hints = hint === undefined ? [] : hint.split("\n");
  const lines = [
    `error: ${printable(message)}`,
    ...hints.map((each) => `hint: ${printable(each)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Read off the raw words, because the error may be that they cannot be parsed. */
function asksForJson(argv: readonly string[]): boolean {
  return argv.some((word, index) => {
    if (word === "-ojson" || word === "--output=json") return true;
    return word === "json" && /^(-o|--output)$/.test(argv[index - 1] ?? "");
  });
}
