import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { CaExpiryWatch } from "./ca-expiry-watch.ts";

const dayMs = 86_400_000;
const endMs = 1_900_000_000_000;

class Clock {
  nowMs = endMs;
  notAfterMs = endMs;
  readonly #lines: { event: string }[] = [];
  readonly #watch: CaExpiryWatch;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
    this.#watch = new CaExpiryWatch({
      notAfterMs: () => this.notAfterMs,
      log: pino({}, { write: (text: string) => void this.#lines.push(JSON.parse(text)) }),
      nowMs: () => this.nowMs,
    });
  }

  /** @returns the events that were logged since the last time */
  at(nowMs: number): readonly string[] {
    this.nowMs = nowMs;
    this.#watch.check();
    return this.#lines.splice(0).map(({ event }) => event);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }
}

test("warns of the CA's end once a day from 30 days before, and says when it has come", () => {
  using clock = new Clock(endMs - 32 * dayMs);
  const told = [-32, -30, -29.99, -29.5, -28.9, -1, -0.5, 0.01, 0.5, 1.5].map((day) =>
    clock.at(endMs + day * dayMs),
  );
  const [soon, past] = [["ca-expires-soon"], ["ca-expired"]];
  assert.deepEqual(told, [[], [], soon, [], soon, soon, [], past, [], past]);
});

test("warns at the start, and again of the next CA after a reload", () => {
  using clock = new Clock(endMs - dayMs);
  assert.deepEqual(clock.at(endMs - dayMs), ["ca-expires-soon"]);
  clock.notAfterMs += 365 * dayMs;
  assert.deepEqual(clock.at(endMs - dayMs), []);
  clock.notAfterMs = endMs;
  assert.deepEqual(clock.at(endMs - dayMs), ["ca-expires-soon"]);
});

test("warns again after the clock was set back by more than a day", () => {
  using clock = new Clock(endMs - dayMs);
  assert.deepEqual(clock.at(endMs - dayMs), ["ca-expires-soon"]);
  assert.deepEqual(clock.at(endMs - 2 * dayMs), ["ca-expires-soon"]);
});
