import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { classify } from "./issuance-class.ts";

const held = { issuedAtMs: 1_000, validUntilMs: 101_000 };

describe("the class of a request", () => {
  const table: readonly (readonly [string, typeof held | undefined, number, string])[] = [
    ["without a certificate", undefined, 0, "newcomer"],
    ["just after the last one", held, 1_000, "renewal"],
    ["with exactly a quarter left", held, 76_000, "renewal"],
    ["with a millisecond less", held, 76_001, "urgent"],
    ["in the last millisecond", held, 100_999, "urgent"],
    ["at the end", held, 101_000, "newcomer"],
    ["long after it", held, 1e12, "newcomer"],
    ["before it was issued, by a clock that went back", held, 0, "renewal"],
    ["by a clock that reads NaN", held, Number.NaN, "newcomer"],
  ];
  for (const [when, held, nowMs, expected] of table) {
    it(`is ${expected} ${when}`, () => assert.equal(classify(held, nowMs), expected));
  }
});
