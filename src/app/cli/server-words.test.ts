import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { causeOf } from "./root-judgement.ts";
import { wordsOf } from "./server-words.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);

describe("a server's words have times as tables have them", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["authority a, prepared since 2026-11-29T11:30:00Z", "authority a, prepared 30m ago"],
    ["withdrawn at 2026-11-28T12:00:00Z: look", "withdrawn 1d ago: look"],
    ["which ends at 2026-11-29T15:00:00Z", "which ends in 3h"],
    ["it opens 2026-11-29T15:38:08.000Z", "it opens in 3h38m"],
    ["not a time: 2026-99-99T99:99:99Z", "not a time: 2026-99-99T99:99:99Z"],
    ["\u001B[2Jgone", String.raw`\u{1b}[2Jgone`],
  ];
  for (const [text, wanted] of cases) it(wanted, () => assert.equal(wordsOf(text, nowMs), wanted));
});

describe("the cause of a closed gate", () => {
  const text = "expected every verifier to hold it, got 2 that do not: agent/a (refused), agent/b";
  it("has no names where a table has them", () => {
    const wanted = "expected every verifier to hold it, got 2 that do not";
    assert.equal(causeOf("verifiers-lagging", text), wanted);
  });

  it("is left as it is elsewhere", () => assert.equal(causeOf("key-missing", text), text));
});
