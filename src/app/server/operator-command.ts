/**
 * What the commands of operators have in common: who gives them and why, which the log keeps, and what is answered where
 * one fails.
 */

import { status, type sendUnaryData } from "@grpc/grpc-js";
import { PortcullisError } from "../../core/error.ts";
import { isOperator, reasonPattern } from "../../core/operator.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";

export interface Claim {
  /** The name that the operator claims (1 to 60 printable characters), or that his door has verified. */
  readonly operator: string;
  /** 1 to 200 printable characters. */
  readonly reason: string;
}

export type CommandErrorCode =
  | "command-operator"
  | "command-reason"
  /** Whom, or until when. */
  | "command-waiver"
  /** A time, or a number. */
  | "command-setting";

export class CommandError extends PortcullisError<CommandErrorCode> {
  override name = "CommandError";
}

/** @throws CommandError */
export function assertClaim({ operator, reason }: Claim): void {
  if (operator === "" || !isOperator(operator)) {
    throw invalid("command-operator", "the operator's name in 1 to 60", operator);
  }
  if (!reasonPattern.test(reason)) {
    throw invalid("command-reason", "a reason of 1 to 200", reason);
  }
}

function failureText(error: unknown): string {
  if (error instanceof PortcullisError) {
    return error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
  }
  const isFault = error instanceof TypeError || error instanceof RangeError;
  return isFault
    ? "a fault of this program: its log has it, please report it"
    : "the store cannot be used";
}

function invalid(code: CommandError["code"], expected: string, text: string): CommandError {
  const got = JSON.stringify(text.slice(0, 300));
  return new CommandError(code, `expected ${expected} printable characters, got ${got}`);
}

/**
 * Answers when the command has been carried out; a failure is logged, and changed nothing that is in force.
 * @param codeOf a refusal that the operator is to read; undefined for what is no refusal
 */
export async function answerCommand<Reply>(
  reply: sendUnaryData<Reply>,
  log: Logger,
  work: () => Promise<Reply>,
  codeOf: (error: PortcullisError) => status | undefined = () => undefined,
): Promise<void> {
  let answer: Reply;
  try {
    answer = await work();
  } catch (error) {
    const known = error instanceof PortcullisError ? error : undefined;
    const refusal =
      known instanceof CommandError ? status.INVALID_ARGUMENT : known && codeOf(known);
    if (known !== undefined && refusal !== undefined) {
      return reply({ code: refusal, details: known.message });
    }
    log.error({ event: "command-failed", error }, "an operator's command failed");
    // UNAVAILABLE would say that there is no server.
    return reply({ code: status.INTERNAL, details: `nothing was changed: ${failureText(error)}` });
  }
  reply(null, answer);
}
