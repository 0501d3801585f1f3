import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AgentClock } from "../../../core/roll/proven-time.ts";
import { ProvenClock } from "./proven-clock.ts";

const logMs = 1_790_000_000_000;
const minuteMs = 60_000;

/** One that can be killed: what is kept of it outlives it. */
class Machine {
  kept: string | undefined;
  wallMs = logMs;
  uptimeMs = 0;
  isGood = true;
  failures = 0;
  isFull = false;

  start(newestLogMs: number | "none" = logMs, agents: readonly AgentClock[] = []): ProvenClock {
    const clock = new ProvenClock(
      {
        read: () => ({ wallMs: this.wallMs, monotonicMs: this.uptimeMs }),
        isGood: () => this.isGood,
        recall: () => this.kept,
        remember: (text) => {
          if (this.isFull) throw new Error("the disk is full");
          this.kept = text;
        },
        onFailed: () => (this.failures += 1),
      },
      newestLogMs === "none" ? undefined : newestLogMs,
    );
    clock.listenTo(() => agents);
    return clock;
  }

  pass(minutes: number): void {
    this.wallMs += minutes * minuteMs;
    this.uptimeMs += minutes * minuteMs;
  }
}

const minutesOf = (clock: ProvenClock): number => (clock.nowMs() - logMs) / minuteMs;

describe("the proven time", () => {
  it("begins with the log, and with the wall clock where nothing was signed", () => {
    const machine = new Machine();
    machine.wallMs += 40 * minuteMs;
    const begun = machine.start();
    assert.deepEqual([minutesOf(begun), begun.aheadMs], [0, 40 * minuteMs]);
    machine.kept = undefined;
    assert.equal(minutesOf(machine.start("none")), 40);
  });

  it("is not what a server that was ahead has written into its log, however it ended", () => {
    const machine = new Machine();
    machine.wallMs += 40 * minuteMs;
    machine.start();
    for (let start = 1; start < 4; start++) {
      machine.pass(1);
      // Killed, and what it wrote last is of this moment.
      assert.equal(minutesOf(machine.start(machine.wallMs)), 0);
    }
  });

  it("is what the log says of a server that was never ahead, although it was killed long after it kept anything", () => {
    const machine = new Machine();
    machine.start().keep();
    machine.pass(8);
    assert.equal(minutesOf(machine.start(machine.wallMs)), 8);
  });

  it("is what was kept of one in whose log nothing happened", () => {
    const machine = new Machine();
    const idle = machine.start();
    machine.pass(600);
    idle.keep();
    machine.pass(5);
    assert.equal(minutesOf(machine.start()), 600);
  });

  it("goes on from what agents have said, when the server is started again", () => {
    const machine = new Machine();
    machine.wallMs += 40 * minuteMs;
    const begun = machine.start(logMs, [{ spiffeId: "spiffe://td/a", skewMs: 0 }]);
    assert.deepEqual([minutesOf(begun), begun.aheadMs], [40, 0]);
    machine.pass(1);
    assert.equal(minutesOf(machine.start(machine.wallMs)), 41);
  });

  it("does not go by agents while the wall clock has jumped: what they differ by is of the time before", () => {
    const machine = new Machine();
    const clock = machine.start(logMs, [{ spiffeId: "spiffe://td/a", skewMs: 0 }]);
    machine.wallMs += 40 * minuteMs;
    machine.isGood = false;
    assert.equal(minutesOf(clock), 0);
  });

  it("is what an operator says, over a restart, too", () => {
    const machine = new Machine();
    machine.wallMs += 40 * minuteMs;
    const clock = machine.start();
    clock.accept();
    assert.equal(minutesOf(clock), 40);
    machine.pass(1);
    assert.equal(minutesOf(machine.start(machine.wallMs)), 41);
  });

  it("counts in this process where it cannot be kept", () => {
    const machine = new Machine();
    machine.isFull = true;
    machine.wallMs += 40 * minuteMs;
    const clock = machine.start();
    assert.deepEqual([minutesOf(clock), machine.failures], [0, 1]);
    machine.isFull = false;
    machine.kept = "made up";
    assert.equal(minutesOf(machine.start()), 0);
  });
});
