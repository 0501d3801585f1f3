import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TokenCheck, WatchMoments } from "../../../core/kube/who/effective-mode.ts";
import { Freshness } from "./freshness.ts";

class Rig {
  nowMs = 100_000;
  aliveMs: number | undefined = 100_000;
  moments: WatchMoments[] = [
    { heardMs: 100_000, openedMs: 90_000 },
    { heardMs: 100_000, openedMs: 90_000 },
  ];
  readonly said: TokenCheck[] = [];
  readonly freshness: Freshness;

  constructor(configured: TokenCheck = "watched") {
    this.freshness = new Freshness({
      configured,
      limitMs: 10_000,
      moments: () => this.moments,
      aliveMs: () => this.aliveMs,
      nowMs: () => this.nowMs,
      onMode: (mode) => void this.said.push(mode),
    });
  }

  pass(ms: number): TokenCheck {
    this.nowMs += ms;
    return this.freshness.mode;
  }
}

describe("how tokens are checked", () => {
  it("is by the watches as soon as they are current, and by reviews when they are behind", () => {
    const rig = new Rig();
    assert.equal(rig.freshness.mode, "watched");
    assert.equal(rig.pass(10_000), "watched");
    assert.equal(rig.pass(100), "review");
    assert.equal(rig.freshness.isCurrent, false);
    rig.aliveMs = rig.nowMs - 6_000;
    assert.equal(rig.pass(100), "review");
    rig.aliveMs = rig.nowMs;
    assert.equal(rig.pass(100), "watched");
    assert.deepEqual(rig.said, ["watched", "review", "watched"]);
  });

  it("is by reviews while one cache has never been filled, however current the other is", () => {
    const rig = new Rig();
    rig.moments = [
      { heardMs: 100_000, openedMs: 90_000 },
      { heardMs: undefined, openedMs: 90_000 },
    ];
    assert.deepEqual([rig.freshness.mode, rig.freshness.staleMs], ["review", undefined]);
    assert.equal(rig.freshness.isCurrent, false);
  });

  it("goes by the watch that is the most behind", () => {
    const rig = new Rig();
    rig.aliveMs = undefined;
    rig.moments = [
      { heardMs: 100_000, openedMs: 1 },
      { heardMs: 89_000, openedMs: 1 },
    ];
    assert.deepEqual([rig.freshness.staleMs, rig.freshness.mode], [11_000, "review"]);
  });

  it("stays as it is set where that is by reviews", () => {
    for (const configured of ["review", "review-always"] as const) {
      const rig = new Rig(configured);
      assert.deepEqual(
        [rig.freshness.mode, rig.pass(60_000), rig.said],
        [configured, configured, []],
      );
    }
  });

  it("is looked at again after 20 ms and not sooner", () => {
    const rig = new Rig();
    assert.equal(rig.freshness.mode, "watched");
    rig.aliveMs = undefined;
    rig.moments = [];
    rig.moments = [{ heardMs: undefined, openedMs: undefined }];
    assert.equal(rig.pass(19), "watched");
    assert.equal(rig.pass(1), "review");
  });
});
