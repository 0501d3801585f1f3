import assert from "node:assert/strict";
import { test } from "node:test";
import { longestLifeMs } from "../../../core/roll/leaf-record.ts";
import { SeenSkew } from "./seen-skew.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;

class Rig {
  nowMs = 1_700_000_000_000;
  stored: string | undefined;
  writes = 0;

  /** As after a restart. */
  open(): SeenSkew {
    return new SeenSkew({
      recall: () => this.stored,
      remember: (text) => {
        this.stored = text;
        this.writes++;
      },
      onFailed: () => assert.fail("it was remembered"),
      nowMs: () => this.nowMs,
    });
  }
}

test("the greatest difference of clocks outlives the process, whichever way it was", () => {
  const rig = new Rig();
  const skew = rig.open();
  for (const each of [3, -40, 900, 120_400, -90_000]) skew.saw(each);
  assert.deepEqual([skew.skewMs, rig.open().skewMs, rig.writes], [121_000, 121_000, 2]);
});

test("a claim counts for an hour at most", () => {
  const rig = new Rig();
  rig.open().saw(-90 * dayMs);
  assert.equal(rig.open().skewMs, hourMs);
});

test("is forgotten when no certificate of that time can be valid, unless it was seen again", () => {
  const rig = new Rig();
  const skew = rig.open();
  skew.saw(60_000);
  rig.nowMs += dayMs;
  skew.saw(59_001);
  rig.nowMs += longestLifeMs + dayMs + hourMs;
  assert.equal(rig.open().skewMs, 60_000);
  rig.nowMs += 1;
  assert.deepEqual([skew.skewMs, rig.open().skewMs], [0, 0]);
  skew.saw(1);
  assert.equal(skew.skewMs, 1_000);
});

test("what cannot be written counts until the server ends", () => {
  const failed: unknown[] = [];
  const skew = new SeenSkew({
    recall: () => undefined,
    remember: () => {
      throw new Error("full");
    },
    onFailed: (error) => void failed.push(error),
    nowMs: () => 0,
  });
  skew.saw(5_000);
  assert.deepEqual([skew.skewMs, failed.length], [5_000, 1]);
});
