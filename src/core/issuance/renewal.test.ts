import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { decideRenewalMs, decideRetryMs } from "./renewal.ts";

/** Of what `Math.random` returns: 0 and the largest number below 1 are in it. */
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const yearMs = 365 * 86_400_000;
const time = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2060, 0, 1) });

describe("a renewal", () => {
  it("is due between 47.5 and 52.5 percent of the time that was left at receipt", () => {
    fc.assert(
      fc.property(time, fc.integer({ min: 0, max: yearMs }), random, (atMs, lifetimeMs, random) => {
        const dueMs = decideRenewalMs(atMs, atMs + lifetimeMs, random) - atMs;
        assert.ok(Number.isInteger(dueMs));
        // Rounded to a millisecond.
        assert.ok(dueMs >= 0.475 * lifetimeMs - 0.51 && dueMs <= 0.525 * lifetimeMs + 0.51);
      }),
    );
  });

  it("is spread over the whole span", () => {
    assert.equal(decideRenewalMs(1_000, 1_000 + 100_000, 0), 48_500);
    assert.equal(decideRenewalMs(1_000, 1_000 + 100_000, 0.5), 51_000);
    assert.equal(decideRenewalMs(1_000, 1_000 + 100_000, 1 - Number.EPSILON), 53_500);
  });

  it("of a certificate that has expired already is due at once", () => {
    fc.assert(
      fc.property(time, fc.nat({ max: yearMs }), random, (atMs, agoMs, random) => {
        assert.equal(decideRenewalMs(atMs, atMs - agoMs, random), atMs);
      }),
    );
  });
});

describe("a retry", () => {
  const attempt = fc.oneof(fc.nat({ max: 30 }), fc.constant(2 ** 31), fc.constant(1e9));
  const remaining = fc.option(fc.integer({ min: -yearMs, max: yearMs }), { nil: undefined });

  it("never comes at once, and never later than half a minute", () => {
    fc.assert(
      fc.property(attempt, remaining, random, (attempt, remainingMs, random) => {
        const delayMs = decideRetryMs(attempt, remainingMs, random);
        assert.ok(Number.isInteger(delayMs) && delayMs >= 100 && delayMs <= 30_000);
      }),
    );
  });

  it("takes a twentieth of what is left at most, or the shortest delay", () => {
    fc.assert(
      fc.property(attempt, fc.integer({ min: 1, max: yearMs }), random, (attempt, left, random) => {
        assert.ok(decideRetryMs(attempt, left, random) <= Math.max(200, Math.ceil(left / 20)));
      }),
    );
  });

  it("has at least ten chances in the last minute of a certificate", () => {
    for (let remainingMs = 60_000, attempt = 20, tries = 0; ; tries++) {
      remainingMs -= decideRetryMs(attempt, remainingMs, 1 - Number.EPSILON);
      if (remainingMs > 0) continue;
      assert.ok(tries >= 10, String(tries));
      break;
    }
  });

  it("doubles, and stays in the upper half of its delay", () => {
    const table = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
    for (const [attempt, delayMs] of table.entries()) {
      assert.equal(decideRetryMs(attempt, undefined, 0), delayMs / 2);
      assert.equal(decideRetryMs(attempt, undefined, 1 - Number.EPSILON), delayMs);
      assert.equal(decideRetryMs(attempt, 0, 0), delayMs / 2);
      assert.equal(decideRetryMs(attempt, -1, 0), delayMs / 2);
    }
  });
});
