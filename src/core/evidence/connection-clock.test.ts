import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ConnectionClock } from "./connection-clock.ts";

const bornMs = 1_000_000_000_000;

/** A flush each second, each with how far the clock was set since the last one, before it was taken. */
function apart(sets: readonly number[], delayMs = 10): boolean[] {
  const clock = new ConnectionClock();
  let setMs = 0;
  return sets.map((byMs, second) => {
    setMs += byMs;
    const takenMs = bornMs + second * 1_000 + setMs;
    return clock.isApart(takenMs, takenMs + delayMs, second * 1_000 + delayMs);
  });
}

const cases: Readonly<Record<string, readonly [readonly number[], readonly boolean[]]>> = {
  "that nobody sets": [
    [0, 0, 0],
    [false, false, false],
  ],
  "set forward by an hour": [
    [0, 3_600_000, 0],
    [false, true, false],
  ],
  "set forward by no more than clocks are kept right by": [
    [0, 2_000, 0],
    [false, false, false],
  ],
  "set forward by many small steps": [
    [0, 900, 900, 900, 0],
    [false, false, false, true, false],
  ],
  "set back": [
    [0, -3_600_000, 0],
    [false, false, false],
  ],
  "set back and forward again": [
    [0, -3_600_000, 3_600_000],
    [false, false, true],
  ],
};

for (const [what, [sets, expected]] of Object.entries(cases)) {
  test(`a clock ${what} has flushes apart where it has passed over time`, () => {
    assert.deepEqual(apart(sets), expected);
  });
}

test("a flush that was taken before the clock was set, and came after, is apart from both others", () => {
  const clock = new ConnectionClock();
  const setMs = 3_600_000;
  assert.ok(!clock.isApart(bornMs, bornMs + 10, 10));
  assert.ok(clock.isApart(bornMs + 1_000, bornMs + 1_010 + setMs, 1_010));
  assert.ok(clock.isApart(bornMs + 2_000 + setMs, bornMs + 2_010 + setMs, 2_010));
  assert.ok(!clock.isApart(bornMs + 3_000 + setMs, bornMs + 3_010 + setMs, 3_010));
});

test("flushes that were taken before the clock was set, and came after, are apart from what is taken since", () => {
  const clock = new ConnectionClock();
  const setMs = 3_600_000;
  const comes = (takenAt: number, nowAt: number): boolean =>
    clock.isApart(bornMs + takenAt, bornMs + nowAt + setMs, nowAt);
  assert.ok(!clock.isApart(bornMs, bornMs + 10, 10));
  // Nothing was handled for 4 s, and then all at once.
  assert.deepEqual(
    [1_000, 2_000, 3_000, 4_000 + setMs, 5_000 + setMs].map((at) => comes(at, 4_010)),
    [true, true, true, true, false],
  );
});

test("flushes that come late by as much as the clock was set are apart for 10 s", () => {
  const clock = new ConnectionClock();
  const setMs = 2_500;
  assert.ok(!clock.isApart(bornMs, bornMs, 0));
  const apart = Array.from({ length: 20 }, (_, second) => {
    const atMs = 5_000 + second * 1_000;
    return clock.isApart(bornMs + atMs - 1_000 + setMs, bornMs + atMs + setMs, atMs);
  });
  assert.equal(apart.lastIndexOf(true), 11);
});

test("a flush that comes late is not apart", () => {
  const arb = fc.array(fc.nat({ max: 8_000 }), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(arb, (delays) => {
      const clock = new ConnectionClock();
      let nowMs = 0;
      for (const [second, delayMs] of delays.entries()) {
        nowMs = Math.max(nowMs, second * 1_000 + delayMs);
        assert.ok(!clock.isApart(bornMs + second * 1_000, bornMs + nowMs, nowMs));
      }
    }),
  );
});
