import assert from "node:assert/strict";
import { test } from "node:test";

import { assert as assertProperty, integer, property } from "fast-check";
import { parseDuration } from "../../core/duration.ts";
import {
  formatCount,
  formatDuration,
  formatRelative,
  formatSpan,
  formatTimestamp,
} from "./format.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

for (const [spanMs, want] of [
  [0, "0s"],
  [999, "0s"],
  [SECOND, "1s"],
  [MINUTE - 1, "59s"],
  [MINUTE, "1m"],
  [MINUTE + SECOND, "1m1s"],
  [HOUR - 1, "59m59s"],
  [HOUR + SECOND, "1h"],
  [DAY - 1, "23h59m"],
  [DAY, "1d"],
  [DAY + 3 * MINUTE, "1d"],
  [90 * DAY - 1, "89d23h"],
  [-12 * SECOND, "12s"],
] as const) {
  test(`says ${want} for ${spanMs} ms`, () => {
    assert.equal(formatSpan(spanMs), want);
  });
}

for (const [offsetMs, want] of [
  [DAY - 1, "in 23h59m"],
  [SECOND, "in 1s"],
  [999, "now"],
  [0, "now"],
  [-999, "now"],
  [-12 * SECOND, "12s ago"],
] as const) {
  test(`says "${want}" for what is ${offsetMs} ms away`, () => {
    assert.equal(formatRelative(1_700_000_000_000 + offsetMs, 1_700_000_000_000), want);
  });
}

test("writes timestamps in UTC, to the second", () => {
  assert.equal(formatTimestamp(1_700_000_000_999), "2023-11-14T22:13:20Z");
});

test("writes a duration as a flag takes it again, to the second", () => {
  assert.equal(formatDuration(90_065), "1d1h1m5s");
  assertProperty(
    property(integer({ min: 0, max: 90 * 86_400 }), (seconds) => {
      assert.equal(parseDuration(formatDuration(seconds)), seconds);
    }),
  );
});

for (const [count, want] of [
  [0, "0"],
  [999, "999"],
  [1_000, "1,000"],
  [48_211, "48,211"],
  [1_234_567, "1,234,567"],
] as const) {
  test(`writes ${want} for ${count}`, () => assert.equal(formatCount(count), want));
}
