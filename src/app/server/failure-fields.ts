/** How a failure stands in a log line: code, message and hint in fields of their own, as in every other event. */

import { PortcullisError } from "../../core/error.ts";

export interface FailureFields {
  readonly reason: string;
  readonly detail: string;
  readonly hint?: string;
  /** Of what nobody expected: with its stack. */
  readonly error?: unknown;
}

export function failureFields(error: unknown): FailureFields {
  if (error instanceof PortcullisError) {
    const { code: reason, message: detail, hint } = error;
    return { reason, detail, ...(hint !== undefined && { hint }) };
  }
  const detail = error instanceof Error ? error.message : String(error);
  return { reason: "internal", detail, error };
}
