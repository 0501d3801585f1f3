/** What the server says to the thread that writes the log, and what it answers: one answer to each, in order. */

import type { LogErrorCode } from "../../core/log/log-error.ts";
import { LogError } from "../../core/log/log-error.ts";
import type { LogOpening } from "./log-opening.ts";
import type { Pruned } from "./log-pruner.ts";
import { RefusedEntry } from "./log-failure.ts";

/** A KeyObject is shared with the thread, not copied. */
export type LogThreadData = LogOpening;

/** Requests stand or fall each for itself; their entries lie one after the other in `bytes`. */
export interface Group {
  /** How many entries each request has. */
  readonly requests: readonly number[];
  readonly lengths: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type ToLogThread =
  | { readonly kind: "append"; readonly group: Group }
  | {
      readonly kind: "prune";
      readonly beforeMs: number;
      readonly timeMs: number;
      readonly operator: string;
    }
  | { readonly kind: "close" };

export type FromLogThread =
  | { readonly kind: "opened"; readonly lastTimeMs: number; readonly openIntents: number }
  | { readonly kind: "appended"; readonly outcomes: readonly Outcome[] }
  | { readonly kind: "pruned"; readonly pruned: Pruned | undefined }
  | { readonly kind: "failed"; readonly error: WireError }
  | { readonly kind: "closed" };

/** Of one request. */
export type Outcome = { readonly firstIndex: number } | { readonly error: WireError };

/** A structured clone keeps of an error neither its class nor its code. Without a code: the entries are refused. */
export interface WireError {
  readonly code: LogErrorCode | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

export function encodeError(error: unknown): WireError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof LogError) return { code: error.code, message, hint: error.hint };
  return {
    code: error instanceof RefusedEntry ? undefined : "log-unwritable",
    message,
    hint: undefined,
  };
}

export function parseError({ code, message, hint }: WireError): LogError | RefusedEntry {
  if (code === undefined) return new RefusedEntry(message);
  return new LogError(code, message, hint === undefined ? {} : { hint });
}
