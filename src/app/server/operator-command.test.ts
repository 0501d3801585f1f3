import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status, type sendUnaryData } from "@grpc/grpc-js";
import { pino } from "pino";
import { TrustStateError } from "../../core/trust/trust-state.ts";
import { answerCommand } from "./operator-command.ts";

async function answerTo(error: unknown): Promise<string> {
  const answers: unknown[] = [];
  const reply: sendUnaryData<unknown> = (...answer) => void answers.push(answer[0]);
  const log = pino({ level: "silent" });
  // oxlint-disable-next-line require-await
  await answerCommand(reply, log, async () => {
    throw error;
  });
  const [failure] = answers;
  assert.ok(failure !== null && typeof failure === "object");
  assert.ok("code" in failure && "details" in failure);
  assert.equal(failure.code, status.INTERNAL);
  return String(failure.details);
}

describe("a command that failed", () => {
  const hint = "a fault of this program: report it";
  const ours = new TrustStateError("trust-state-invariant", "expected one root", { hint });
  const table: readonly (readonly [string, unknown, RegExp])[] = [
    [
      "in its own words, with what to do",
      ours,
      /: expected one root; a fault of this program: report/,
    ],
    ["as a fault of the program", new TypeError("x is undefined"), /: a fault of this program/],
    ["as the store's", new Error("database or disk is full"), /: the store cannot be used$/],
  ];
  for (const [title, error, expected] of table) {
    it(`is told ${title}`, async () => {
      const details = await answerTo(error);
      assert.match(details, /^nothing was changed: /);
      assert.match(details, expected);
    });
  }
});
