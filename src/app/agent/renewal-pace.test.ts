import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decideRetryMs } from "../../core/issuance/renewal.ts";
import { decidePaceMs, decideWithheldMs } from "./renewal-pace.ts";

const lifeMs = 20_000;

/** Attempts from the half of a certificate's life until its end. */
function attempts(isJudged: boolean, random: number): number[] {
  const times: number[] = [];
  for (let nowMs = lifeMs / 2; nowMs < lifeMs;) {
    nowMs += decidePaceMs(times.length, lifeMs - nowMs, isJudged, random);
    times.push(nowMs);
  }
  return times;
}

test("asks a server that has judged it at most 13 times in the last 10 s of a certificate", () => {
  for (const random of [0, 0.5, 0.999]) {
    const { length } = attempts(true, random);
    assert(length >= 7 && length <= 13, String(length));
  }
});

test("uses the last seconds where nobody has judged it", () => {
  assert(attempts(false, 0).length > 40);
});

test("never asks sooner than without the judgement, and without a certificate at the same pace", () => {
  const remaining = fc.option(fc.integer({ min: -100_000, max: 100_000_000 }), { nil: undefined });
  const random = fc.double({ min: 0, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(fc.nat(40), remaining, random, (attempt, remainingMs, chance) => {
      const plainMs = decideRetryMs(attempt, remainingMs, chance);
      assert.equal(decidePaceMs(attempt, remainingMs, false, chance), plainMs);
      const judgedMs = decidePaceMs(attempt, remainingMs, true, chance);
      assert(judgedMs >= plainMs);
      if (remainingMs === undefined || remainingMs <= 0) assert.equal(judgedMs, plainMs);
      else assert(judgedMs <= Math.max(2_000, plainMs));
    }),
  );
});

test("leaves the server its turn before it asks for what is to replace a withheld certificate", () => {
  assert.deepEqual([0, 0.5, 0.999].map(decideWithheldMs), [1_000, 15_500, 29_971]);
});
