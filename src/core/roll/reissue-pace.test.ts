import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ReissuePace, type ReissueCandidate } from "./reissue-pace.ts";

const candidates = (count: number): ReissueCandidate[] =>
  Array.from({ length: count }, (_, index) => ({
    key: `${index}`,
    question: `${index}`,
    notAfterMs: (index * 7_919) % 10_000,
  }));

describe("the pace of re-issue", () => {
  it("asks so many a second, those that end first at first", () => {
    const pace = new ReissuePace(100);
    const all = candidates(1_000);
    const asked: ReissueCandidate[] = [];
    for (let nowMs = 0; nowMs <= 5_000; nowMs += 200) asked.push(...pace.next(all, nowMs));
    assert.equal(asked.length, 500);
    const soonest = all.toSorted((a, b) => a.notAfterMs - b.notAfterMs).slice(0, 500);
    assert.deepEqual(asked, soonest);
  });

  it("never asks more than a fifth of a second's at once, nor anybody twice within 30 s", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.nat({ max: 5_000 }), { maxLength: 40 }),
        (perSecond, pauses) => {
          const pace = new ReissuePace(perSecond);
          const all = candidates(400);
          const lastMs = new Map<string, number>();
          let nowMs = 0;
          let count = 0;
          pace.next(all, nowMs);
          for (const pauseMs of pauses) {
            nowMs += pauseMs;
            const next = pace.next(all, nowMs);
            count += next.length;
            assert.ok(next.length <= Math.max(1, Math.ceil(perSecond / 5)));
            for (const { key } of next) {
              assert.ok(nowMs - (lastMs.get(key) ?? -30_000) >= 30_000);
              lastMs.set(key, nowMs);
            }
          }
          assert.ok(count <= 1 + (nowMs * perSecond) / 1_000);
        },
      ),
    );
  });

  it("asks again after 30 s, also when the clock was set back", () => {
    const pace = new ReissuePace(10);
    const [one] = candidates(1);
    assert.ok(one !== undefined);
    pace.next([one], 0);
    assert.equal(pace.next([one], 1_000).length, 1);
    assert.equal(pace.next([one], 30_999).length, 0);
    assert.equal(pace.next([one], 31_000).length, 1);
    assert.equal(pace.next([one], 1).length, 1);
    assert.equal(pace.next([one], 1_001).length, 0);
  });

  it("asks a workload soon that has answered with another certificate that is to go, too", () => {
    const pace = new ReissuePace(10);
    const ask = (question: string, nowMs: number): number =>
      pace.next([{ key: "web", question, notAfterMs: 1 }], nowMs).length;
    ask("old", 0);
    assert.equal(ask("old", 1_000), 1);
    assert.equal(ask("new", 1_900), 0);
    assert.equal(ask("new", 2_000), 1);
    assert.equal(ask("new", 31_900), 0);
    assert.equal(ask("new", 32_000), 1);
    assert.equal(ask("newest", 34_000), 1);
  });

  it("asks ever less often who answers again and again with what is to go", () => {
    const pace = new ReissuePace(100);
    const askedMs: number[] = [];
    pace.next([], 0);
    for (let nowMs = 200; nowMs <= 600_000; nowMs += 200) {
      const question = `${askedMs.length}`;
      const { length } = pace.next([{ key: "web", question, notAfterMs: 1 }], nowMs);
      if (length === 1) askedMs.push(nowMs);
    }
    const pauses = askedMs.slice(1).map((atMs, index) => atMs - (askedMs[index] ?? 0));
    assert.deepEqual(pauses.slice(0, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert.ok(pauses.slice(5).every((pauseMs) => pauseMs === 30_000));
  });

  it("keeps a slow pace, and asks nobody at none", () => {
    const count = (perSecond: number): number => {
      const pace = new ReissuePace(perSecond);
      let sum = 0;
      for (let nowMs = 0; nowMs <= 10_000; nowMs += 200)
        sum += pace.next(candidates(500), nowMs).length;
      return sum;
    };
    for (const perSecond of [0, 1, 3, 7, 30, 33]) {
      // A sum of fractions may end just below a whole number.
      assert.ok(Math.abs(count(perSecond) - 10 * perSecond) <= 1, `${perSecond}`);
    }
  });

  it("goes at another pace from when it is told", () => {
    const pace = new ReissuePace(10);
    pace.next([], 0);
    pace.perSecond = 1_000;
    assert.equal(pace.next(candidates(500), 200).length, 200);
  });

  it("chooses among 10,000 in some milliseconds", (context) => {
    const pace = new ReissuePace(100);
    const all = candidates(10_000);
    pace.next(all, 0);
    const startMs = performance.now();
    for (let nowMs = 200; nowMs <= 2_000; nowMs += 200) pace.next(all, nowMs);
    const ms = (performance.now() - startMs) / 10;
    context.diagnostic(`${ms.toFixed(2)} ms`);
    assert.ok(ms < 20);
  });
});
