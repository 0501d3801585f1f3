import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { coverageOf, seenOf } from "../../../../test/support/evidence.ts";
import { withinTime } from "./report-times.ts";

const times = { oldestMs: 1_000_000, nowMs: 9_000_000 };
const newestMs = times.nowMs + 60_000;
const told = (more: object) => {
  const proxy = { proxyId: "p", spiffeId: undefined, epochMs: 2_000_000, seen: [], coverage: [] };
  return withinTime({ ...proxy, ...more }, times);
};

describe("times of a report", () => {
  it("of a clock that is right are as they came", () => {
    const seen = [{ ...seenOf(newestMs), firstMs: times.oldestMs }];
    const coverage = [coverageOf(times.oldestMs, newestMs)];
    const found = told({ epochMs: 0, seen, coverage });
    assert.deepEqual(found, { epochMs: 0, seen, coverage, ahead: 0, old: 0 });
  });

  it("of a clock that is ahead say that it was seen, and cover nothing", () => {
    const seen = [{ ...seenOf(newestMs + 1), firstMs: times.nowMs - 5 }, seenOf(newestMs + 9)];
    const coverage = [coverageOf(times.nowMs, newestMs + 1), coverageOf(times.nowMs, newestMs)];
    const found = told({ epochMs: newestMs + 1, seen, coverage });
    assert.deepEqual(
      found.seen.map(({ firstMs, lastMs }) => [firstMs, lastMs]),
      [
        [times.nowMs - 5, times.nowMs],
        [times.nowMs, times.nowMs],
      ],
    );
    assert.deepEqual(found.coverage, [coverageOf(times.nowMs, newestMs)]);
    assert.deepEqual([found.epochMs, found.ahead, found.old], [times.nowMs, 3, 0]);
  });

  it("from before what is kept are forgotten", () => {
    const seen = [seenOf(times.oldestMs - 1), { ...seenOf(times.oldestMs), firstMs: 5 }];
    const coverage = [coverageOf(5, times.oldestMs - 1), coverageOf(5, times.oldestMs)];
    const found = told({ seen, coverage });
    assert.deepEqual(
      found.seen.map(({ firstMs, lastMs }) => [firstMs, lastMs]),
      [[times.oldestMs, times.oldestMs]],
    );
    assert.deepEqual(found.coverage, [coverageOf(times.oldestMs, times.oldestMs)]);
    assert.deepEqual([found.ahead, found.old], [0, 2]);
  });

  it("never cover more than was told, and are always within what is kept", () => {
    const span = fc.tuple(fc.nat(12_000_000), fc.nat(12_000_000)).map(([a, b]) => {
      return [Math.min(a, b), Math.max(a, b)] as const;
    });
    fc.assert(
      fc.property(fc.array(span), fc.array(span), (rows, spans) => {
        const seen = rows.map(([firstMs, lastMs]) => ({ ...seenOf(lastMs), firstMs }));
        const coverage = spans.map(([since, until]) => coverageOf(since, until));
        const found = told({ seen, coverage });
        for (const { firstMs, lastMs } of found.seen) {
          assert.ok(times.oldestMs <= firstMs && firstMs <= lastMs && lastMs <= newestMs);
        }
        for (const { sinceMs, untilMs } of found.coverage) {
          assert.ok(times.oldestMs <= sinceMs && sinceMs <= untilMs && untilMs <= newestMs);
          assert.ok(spans.some(([since, until]) => since <= sinceMs && until === untilMs));
        }
        assert.equal(found.seen.length, rows.filter(([, last]) => last >= times.oldestMs).length);
      }),
    );
  });
});
