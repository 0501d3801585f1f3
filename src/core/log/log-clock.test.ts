import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  acceptLogClock,
  assertLogClock,
  readLogClock,
  startLogClock,
  type LogClock,
} from "./log-clock.ts";

const startMs = Date.UTC(2026, 0, 1);

/** After so much true time, with a wall clock that is off by so much. */
function at(elapsedMs: number, offMs = 0): { wallMs: number; monotonicMs: number } {
  return { wallMs: startMs + elapsedMs + offMs, monotonicMs: 5_000.25 + elapsedMs };
}

const fresh = (): LogClock => startLogClock(undefined, at(0));
const kindAt = (clock: LogClock): string =>
  clock.status.kind === "ok" ? "ok" : clock.status.direction;

describe("the log's clock", () => {
  const jumps: readonly (readonly [number, string])[] = [
    [0, "ok"],
    [60_000, "ok"],
    [-60_000, "ok"],
    [60_001, "forward"],
    [-60_001, "backward"],
    [1e12, "forward"],
    [-1e12, "backward"],
  ];
  for (const [jumpMs, expected] of jumps) {
    for (const elapsedMs of [0, 1_000, 3 * 86_400_000]) {
      it(`is ${expected} after a jump of ${jumpMs} ms in ${elapsedMs} ms`, () =>
        assert.equal(kindAt(readLogClock(fresh(), at(elapsedMs, jumpMs))), expected));
    }
  }

  it("never goes back, and gives whole milliseconds, whatever the clocks say", () => {
    const reading = fc.record({
      wallMs: fc.oneof(fc.double({ min: 0, max: 1e14 }), fc.constant(startMs)),
      monotonicMs: fc.double({ min: 0, max: 1e12 }),
    });
    const steps = fc.array(fc.tuple(reading, fc.boolean()));
    fc.assert(
      fc.property(steps, (steps) => {
        let clock = fresh();
        for (const [reading, accepted] of steps) {
          const next = (accepted ? acceptLogClock : readLogClock)(clock, reading);
          assert.ok(Number.isSafeInteger(next.logMs) && next.logMs >= clock.logMs);
          clock = next;
        }
      }),
    );
  });

  it("is never stopped by steps of at most a minute each, however far they add up", () => {
    const step = fc.tuple(fc.nat({ max: 3_600_000 }), fc.integer({ min: -60_000, max: 60_000 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        let clock = fresh();
        let elapsedMs = 0;
        let offMs = 0;
        for (const [passedMs, stepMs] of steps) {
          elapsedMs += passedMs;
          offMs += stepMs;
          const before = clock.logMs;
          clock = readLogClock(clock, at(elapsedMs, offMs));
          assert.deepEqual(clock.status, { kind: "ok" });
          assert.equal(clock.logMs, Math.max(before, startMs + elapsedMs + offMs));
        }
      }),
    );
  });

  it("stays stopped as long as the clock is wrong, and goes on by itself when it is right again", () => {
    const wrong = fc.oneof(
      fc.integer({ min: 60_001, max: 1e12 }),
      fc.integer({ min: -1e12, max: -60_001 }),
    );
    const right = fc.integer({ min: -60_000, max: 60_000 });
    fc.assert(
      fc.property(fc.array(wrong, { minLength: 1 }), right, (jumps, backMs) => {
        let clock = readLogClock(fresh(), at(1_000));
        let elapsedMs = 1_000;
        for (const jumpMs of jumps) {
          elapsedMs += 10_000;
          clock = readLogClock(clock, at(elapsedMs, jumpMs));
          assert.deepEqual(clock.status, {
            kind: "stopped",
            sinceMs: startMs + 11_000,
            jumpMs,
            direction: jumpMs > 0 ? "forward" : "backward",
          });
          // Events are logged meanwhile, by the time that would be right.
          assert.equal(clock.logMs, startMs + elapsedMs);
          assert.throws(() => assertLogClock(clock), { code: "log-clock-stopped" });
        }
        clock = readLogClock(clock, at(elapsedMs + 1_000, backMs));
        assert.deepEqual(clock.status, { kind: "ok" });
        assertLogClock(clock);
      }),
    );
  });

  it("goes on from where an operator accepts it, and measures from there", () => {
    for (const jumpMs of [86_400_000, -86_400_000]) {
      const stopped = readLogClock(fresh(), at(1_000, jumpMs));
      const accepted = acceptLogClock(stopped, at(2_000, jumpMs));
      assert.equal(kindAt(accepted), "ok");
      const expectedMs = startMs + (jumpMs > 0 ? jumpMs + 2_000 : 1_000);
      assert.equal(accepted.logMs, expectedMs);
      assert.equal(kindAt(readLogClock(accepted, at(3_000, jumpMs))), "ok");
      assert.equal(kindAt(readLogClock(accepted, at(3_000))), jumpMs > 0 ? "backward" : "forward");
    }
  });

  it("stops for a clock that reads NaN, does not accept it, and goes on when it reads again", () => {
    for (const broken of [
      { wallMs: Number.NaN, monotonicMs: 6_000 },
      { wallMs: startMs, monotonicMs: Number.NaN },
    ]) {
      const clock = acceptLogClock(readLogClock(fresh(), broken), broken);
      assert.equal(clock.status.kind, "stopped");
      assert.ok(clock.logMs >= startMs);
      assert.equal(kindAt(readLogClock(clock, at(1_000))), "ok");
    }
  });

  it("says in its error how far the clock is off, and which way", () => {
    assert.throws(() => assertLogClock(readLogClock(fresh(), at(0, -90_500))), {
      code: "log-clock-stopped",
      message:
        "expected a wall clock that moves by at most 60 s at once, got a jump of 90.5 s backward",
    });
  });
});

describe("the log's clock at a start", () => {
  const table: readonly (readonly [string, number | undefined, string])[] = [
    ["with a new log", undefined, "ok"],
    ["after days without a server", startMs - 5 * 86_400_000, "ok"],
    ["a minute behind the log", startMs + 60_000, "ok"],
    ["more than a minute behind the log", startMs + 60_001, "backward"],
  ];
  for (const [when, newestLogMs, expected] of table) {
    it(`is ${expected} ${when}`, () => {
      const clock = startLogClock(newestLogMs, at(0));
      assert.equal(kindAt(clock), expected);
      assert.equal(clock.logMs, Math.max(newestLogMs ?? 0, startMs));
    });
  }

  it("takes every later time where it began behind the log, because the log is only a lower bound", () => {
    const stopped = startLogClock(startMs, at(0, -365 * 86_400_000));
    assert.equal(kindAt(stopped), "backward");
    assert.equal(kindAt(readLogClock(stopped, at(10_000, -60_001))), "backward");
    for (const offMs of [-60_000, 0, 5 * 86_400_000]) {
      const healed = readLogClock(stopped, at(10_000, offMs));
      assert.equal(kindAt(healed), "ok");
      assert.equal(kindAt(readLogClock(healed, at(11_000, offMs + 60_001))), "forward");
    }
  });

  it("is not stopped again by what an operator accepted before", () => {
    const newestLogMs = startMs + 365 * 86_400_000;
    assert.equal(kindAt(startLogClock(newestLogMs, at(0))), "backward");
    const clock = startLogClock(newestLogMs, at(0), startMs - 1_000);
    assert.equal(kindAt(clock), "ok");
    assert.equal(clock.logMs, newestLogMs);
    assert.equal(kindAt(startLogClock(newestLogMs, at(0, -62_000), startMs - 1_000)), "backward");
  });
});
