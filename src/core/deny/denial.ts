/** One entry of the deny list, and what an operator may write into it. */

import { isOperator, reasonPattern } from "../operator.ts";
import { DenyListError } from "./deny-error.ts";
import { isCanonicalTarget, type DenyTarget } from "./deny-target.ts";

export interface NewDenial {
  readonly target: DenyTarget;
  /** The denied caller reads it, too: 1 to 200 printable characters. */
  readonly reason: string;
  /** As core/operator.ts has it: claimed or verified, "" for the server itself. */
  readonly operator: string;
  readonly createdAtMs: number;
  /** From then on it has no effect; without it, it stays. */
  readonly untilMs?: number;
}

export interface Denial extends NewDenial {
  /** Rises with every change of the list, and is never given twice. */
  readonly sequence: number;
}

/** Written so that a clock that reads NaN keeps it in force. */
export function isInForce({ untilMs }: Denial, nowMs: number): boolean {
  return untilMs === undefined || !(nowMs >= untilMs);
}

/** @throws DenyListError `denial-invalid` */
export function assertDenial({ target, reason, operator, createdAtMs, untilMs }: NewDenial): void {
  if (!isCanonicalTarget(target)) throw invalid("an identity or a serial", JSON.stringify(target));
  if (!reasonPattern.test(reason)) {
    throw invalid("a reason of 1 to 200 printable characters", JSON.stringify(reason));
  }
  if (!isOperator(operator)) {
    throw invalid("an operator of at most 60 printable characters", JSON.stringify(operator));
  }
  if (!isTime(createdAtMs)) throw invalid("a time of creation", String(createdAtMs));
  if (untilMs !== undefined && !(isTime(untilMs) && untilMs > createdAtMs)) {
    throw invalid("an end after its creation", String(untilMs));
  }
}

/** What a `Date` can hold (ECMA-262 21.4.1.1). */
const dateMsMax = 8.64e15;

function isTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms >= 0 && ms <= dateMsMax;
}

function invalid(expected: string, got: string): DenyListError {
  const message = `expected ${expected}, got ${got.slice(0, 300)}`;
  return new DenyListError("denial-invalid", message, {
    hint: "a denial has a target, a reason in one line and, if it ends, an end in the future",
  });
}
