/** What an operator reads where a server has failed at a command, or has not answered it in time: alike for all rooms of commands. */

import { status, type ServiceError } from "@grpc/grpc-js";
import { CommandRefusedError } from "./command-client.ts";

export interface CommandErrors {
  /** The verb that shows what holds: `portcullis root status`. */
  readonly look: string;
  /** How long an answer is waited for. */
  readonly timeoutMs: number;
}

const failures: ReadonlySet<status> = new Set([
  status.FAILED_PRECONDITION,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
]);

/** @returns undefined for what no server has answered */
export function commandErrorOf(
  { code, details }: ServiceError,
  { look, timeoutMs }: CommandErrors,
): CommandRefusedError | undefined {
  const failed = (message: string, hint: string): CommandRefusedError =>
    new CommandRefusedError("command-failed", message, { hint });
  if (code === status.INVALID_ARGUMENT) return new CommandRefusedError("command-invalid", details);
  if (code === status.DEADLINE_EXCEEDED) {
    return failed(
      `the server has not answered within ${timeoutMs / 1_000} s, and may do it yet`,
      `see what it did before you try again: ${look}`,
    );
  }
  if (!failures.has(code)) return undefined;
  return failed(details, `the server's own log says why; where it stands: ${look}`);
}
