/** What is owed for a checkpoint that contradicts the log: one entry for many of them, and for the same one never another. */

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "node:test";
import type { Checkpoint } from "../../../core/log/checkpoint.ts";
import { LogContradictions } from "./log-contradictions.ts";

const hourMs = 3_600_000;
const aheadMs = 600_000;

class Rig {
  nowMs = 1_000_000;
  ttlSeconds = 3_600;
  isFull = false;
  stored: string | undefined;
  readonly recorded: number[] = [];
  readonly failed: unknown[] = [];

  start(): LogContradictions {
    return new LogContradictions({
      recall: () => this.stored,
      remember: (text) => void (this.stored = text),
      maxTtlSeconds: () => this.ttlSeconds,
      lostUntilMs: () => Math.max(0, ...this.recorded),
      record: async (untilMs) => {
        if (this.isFull) throw new Error("the log is full");
        this.recorded.push(untilMs);
      },
      onFailed: (error) => void this.failed.push(error),
      nowMs: () => this.nowMs,
    });
  }
}

function checkpointOf(size: number, root = 1): Checkpoint {
  return { origin: "log", size, root: new Uint8Array(32).fill(root) };
}

async function shown(to: LogContradictions, ...held: readonly Checkpoint[]): Promise<void> {
  for (const each of held) to.saw(each);
  await turn();
}

describe("a checkpoint that contradicts the log", () => {
  it("is worth one entry with all that come with it, for the longest lifetime from now on", async () => {
    const rig = new Rig();
    const contradictions = rig.start();
    await shown(contradictions, checkpointOf(7), checkpointOf(7), checkpointOf(8), checkpointOf(9));
    rig.nowMs += aheadMs;
    await shown(contradictions, checkpointOf(6));
    assert.deepEqual(rig.recorded, [1_000_000 + hourMs + aheadMs]);
  });

  it("is never worth another, however often and by whomever it is shown, also after a start", async () => {
    const rig = new Rig();
    await shown(rig.start(), checkpointOf(7), checkpointOf(8));
    rig.nowMs += 10 * hourMs;
    await shown(rig.start(), checkpointOf(7), checkpointOf(8));
    assert.equal(rig.recorded.length, 1);
  });

  it("is worth another when it is another one and comes later: the other log is still being written", async () => {
    const rig = new Rig();
    const contradictions = rig.start();
    await shown(contradictions, checkpointOf(7));
    rig.nowMs += hourMs / 2;
    await shown(contradictions, checkpointOf(7, 2));
    assert.equal(rig.recorded.length, 2);
    assert.equal(rig.recorded[1], 1_000_000 + 1.5 * hourMs + aheadMs);
  });

  it("counts with the longest lifetime that was ever in force here, though it is shorter now", async () => {
    const rig = new Rig();
    rig.start().raiseTtl(7_200);
    await shown(rig.start(), checkpointOf(7));
    assert.deepEqual(rig.recorded, [1_000_000 + 2 * hourMs + aheadMs]);
  });

  it("is news again where the log could not be written", async () => {
    const rig = new Rig();
    const contradictions = rig.start();
    rig.isFull = true;
    await shown(contradictions, checkpointOf(7));
    assert.deepEqual([rig.recorded.length, rig.failed.length], [0, 1]);
    rig.isFull = false;
    await shown(contradictions, checkpointOf(7));
    assert.equal(rig.recorded.length, 1);
  });
});
