import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { it, mock } from "node:test";
import { bootClock } from "./boot-clock.ts";

/** A machine whose clocks stand still unless they are moved. */
function machine() {
  let [runMs, suspendedMs] = [5_000, 1_000];
  // The kernel gives it in hundredths of a second.
  mock.method(os, "uptime", () => Math.floor((runMs + suspendedMs) / 10) / 100);
  mock.method(performance, "now", () => runMs);
  syncBuiltinESMExports();
  return {
    run: (ms: number): void => void (runMs += ms),
    suspend: (ms: number): void => void (suspendedMs += ms),
    [Symbol.dispose]: () => {
      mock.restoreAll();
      syncBuiltinESMExports();
    },
  };
}

it("goes with the time that the machine runs, to the millisecond", () => {
  using it = machine();
  const read = bootClock();
  const began = read();
  for (let ms = 0; ms < 60_000; ms += 7) {
    assert.equal(read() - began, ms);
    it.run(7);
  }
});

it("counts a suspension within a second of its end", () => {
  using it = machine();
  const read = bootClock();
  const began = read();
  it.run(100);
  it.suspend(3_600_000);
  it.run(1_000);
  assert.ok(Math.abs(read() - began - 3_601_100) <= 10);
});

it("loses none of many short suspensions, and never goes back", () => {
  using it = machine();
  const read = bootClock();
  const began = read();
  let last = began;
  for (let each = 0; each < 100; each++) {
    it.suspend(300);
    it.run(1_000);
    assert.ok(read() >= last);
    last = read();
  }
  assert.ok(Math.abs(last - began - 130_000) <= 1_010, String(last - began));
});
