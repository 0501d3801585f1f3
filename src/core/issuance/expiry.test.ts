import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeExpiry, type Expiry } from "./expiry.ts";

const monthMs = 30 * 86_400_000;
const endMs = 1_900_000_000_000;
const cases: readonly (readonly [string, number, Expiry])[] = [
  ["30 days before", endMs - monthMs, "later"],
  ["a moment later", endMs - monthMs + 1, "soon"],
  ["in its last second", endMs, "soon"],
  ["after that", endMs + 1, "past"],
];
for (const [when, nowMs, expected] of cases) {
  test(`what ends is judged ${expected} ${when}`, () => {
    assert.equal(judgeExpiry(endMs, nowMs), expected);
  });
}
