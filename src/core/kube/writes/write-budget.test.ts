import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { WriteBudget } from "./write-budget.ts";

describe("what may be written", () => {
  it("is a burst, and then the rate", () => {
    const budget = new WriteBudget({ ratePerSecond: 20, burst: 3 });
    const waits = Array.from({ length: 5 }, () => {
      const waitMs = budget.waitMs(0);
      budget.take(0);
      return waitMs;
    });
    assert.deepEqual(waits, [0, 0, 0, 50, 100]);
    assert.ok(budget.waitMs(10_000) === 0);
  });

  it("is nothing for as long as the API server asks, and a second where it does not say", () => {
    const budget = new WriteBudget({ ratePerSecond: 20, burst: 3 });
    budget.refused(5_000, 100);
    budget.refused(undefined, 200);
    assert.deepEqual(
      [200, 5_099, 5_100].map((at) => budget.waitMs(at)),
      [4_900, 1, 0],
    );
    budget.refused(undefined, 10_000);
    assert.equal(budget.waitMs(10_000), 1_000);
  });

  it("is never more than burst and rate, however it is asked for", () => {
    const steps = fc.array(fc.nat(40), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(steps, (gaps) => {
        const budget = new WriteBudget({ ratePerSecond: 50, burst: 4 });
        let [nowMs, taken] = [0, 0];
        for (const gap of gaps) {
          nowMs += gap;
          if (budget.waitMs(nowMs) > 0) continue;
          budget.take(nowMs);
          taken++;
          assert.ok(taken <= 4 + (nowMs * 50) / 1_000 + 1e-6);
        }
      }),
    );
  });
});
