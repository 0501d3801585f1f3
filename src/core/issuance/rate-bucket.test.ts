import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { RateBucket, type RateLimit } from "./rate-bucket.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const limit: fc.Arbitrary<RateLimit> = fc.record({
  ratePerSecond: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constantFrom(0.01, 1 / 3, 0.7)),
  burst: fc.integer({ min: 1, max: 20 }),
});
const tenPerSecond: RateLimit = { ratePerSecond: 10, burst: 2 };

function takeIfAny(bucket: RateBucket, limit: RateLimit, nowMs: number): boolean {
  if (bucket.waitMs(limit, nowMs) > 0) return false;
  bucket.take(limit, nowMs);
  return true;
}

describe("a token bucket", () => {
  it("gives a burst, then the rate, in whatever window one looks", () => {
    const gaps = fc.array(fc.nat({ max: 2_000 }), { maxLength: 60, size: "max" });
    fc.assert(
      fc.property(limit, gaps, (limit, gaps) => {
        const bucket = new RateBucket();
        const takenAtMs: number[] = [];
        let nowMs = 0;
        for (const gapMs of gaps) {
          nowMs += gapMs;
          if (takeIfAny(bucket, limit, nowMs)) takenAtMs.push(nowMs);
        }
        for (const [from, startMs] of takenAtMs.entries()) {
          for (const [to, endMs] of takenAtMs.entries()) {
            const most = limit.burst + ((endMs - startMs) * limit.ratePerSecond) / 1_000;
            assert.ok(to < from || to - from + 1 <= most + 1e-6);
          }
        }
      }),
    );
  });

  it("gives a token after the wait that it named, and not a millisecond earlier", () => {
    fc.assert(
      fc.property(limit, fc.nat({ max: 1e6 }), (limit, startMs) => {
        const bucket = new RateBucket();
        while (takeIfAny(bucket, limit, startMs));
        const waitMs = Math.ceil(bucket.waitMs(limit, startMs));
        if (waitMs > 1) assert.ok(bucket.waitMs(limit, startMs + waitMs - 1) > 0);
        assert.equal(bucket.waitMs(limit, startMs + waitMs), 0);
      }),
    );
  });

  it("is full again when it says so", () => {
    const bucket = new RateBucket();
    assert.equal(bucket.fullInMs(tenPerSecond, 0), 0);
    bucket.take(tenPerSecond, 0);
    bucket.take(tenPerSecond, 0);
    assert.equal(bucket.fullInMs(tenPerSecond, 50), 150);
    assert.equal(bucket.fullInMs(tenPerSecond, 200), 0);
  });

  it("gives nothing for a clock that goes back, does not lock for one, and lives through NaN", () => {
    const bucket = new RateBucket();
    while (takeIfAny(bucket, tenPerSecond, 1e9));
    assert.equal(bucket.waitMs(tenPerSecond, 0), 100);
    assert.equal(bucket.waitMs(tenPerSecond, Number.NaN), 100);
    assert.equal(bucket.waitMs(tenPerSecond, 100), 0);
  });

  it("tells each refused caller a later time than the one before it", () => {
    fc.assert(
      fc.property(limit, fc.array(random, { minLength: 2, maxLength: 50 }), (limit, randoms) => {
        const bucket = new RateBucket();
        while (takeIfAny(bucket, limit, 0));
        const waitMs = bucket.waitMs(limit, 0);
        const placeMs = Math.min(1_000 / limit.ratePerSecond, 60_000);
        for (const [k, random] of randoms.entries()) {
          const toldMs = bucket.queueUpMs(limit, waitMs, 0, random);
          assert.ok(Number.isInteger(toldMs) && toldMs >= waitMs && toldMs >= 1);
          if (k * placeMs >= 60_000) assert.ok(toldMs <= waitMs + 60_002);
          else if (k * placeMs < 59_999) {
            assert.ok(toldMs >= waitMs + k * placeMs - 1e-6, `${toldMs}`);
            assert.ok(toldMs <= waitMs + (k + 1) * placeMs + 1, `${toldMs}`);
          }
        }
      }),
    );
  });

  it("spreads those behind a minute of others over a minute, and starts over when they have come", () => {
    const bucket = new RateBucket();
    while (takeIfAny(bucket, tenPerSecond, 0));
    const told = Array.from({ length: 10_000 }, (_, k) =>
      bucket.queueUpMs(tenPerSecond, 100, 0, (k % 100) / 100),
    );
    assert.equal(Math.max(...told.slice(0, 600)), 100 + 59_999);
    const late = told.slice(600);
    for (let minute = 0; minute < 60; minute += 10) {
      const share = late.filter((ms) => ms > minute * 1_000 && ms <= (minute + 10) * 1_000).length;
      assert.ok(share > late.length / 7 && share < late.length / 5, `${share}`);
    }
    const laterMs = 120_000;
    while (takeIfAny(bucket, tenPerSecond, laterMs));
    assert.equal(bucket.queueUpMs(tenPerSecond, 100, laterMs, 0), 100);
  });

  it("keeps what was taken when its limit changes", () => {
    const bucket = new RateBucket();
    const wide: RateLimit = { ratePerSecond: 1, burst: 10 };
    for (let i = 0; i < 8; i++) bucket.take(wide, 0);
    bucket.change(wide, { ratePerSecond: 100, burst: 5 }, 1_000);
    // 7 were missing; a burst of 5 can miss no more than 5.
    assert.equal(bucket.waitMs({ ratePerSecond: 100, burst: 5 }, 1_000), 10);
    bucket.change({ ratePerSecond: 100, burst: 5 }, wide, 1_000);
    assert.equal(bucket.fullInMs(wide, 1_000), 5_000);
  });
});
