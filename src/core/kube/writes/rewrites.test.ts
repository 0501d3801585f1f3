import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rewriteLimits, Rewrites } from "./rewrites.ts";

const { most, slowMs, slowMostMs, windowMs } = rewriteLimits;

/** A rival that answers each of our writes at once, for so long. @returns when we wrote */
function fight(rewrites: Rewrites, forMs: number): readonly number[] {
  const times: number[] = [];
  for (let nowMs = 0; nowMs < forMs; nowMs += 10) {
    if (rewrites.waitMs("a", "roots", nowMs) > 0) continue;
    rewrites.wrote("a", "roots", nowMs);
    times.push(nowMs);
  }
  return times;
}

describe("what somebody else writes again", () => {
  it("is repaired at once the first times, and then ever more seldom", () => {
    const rewrites = new Rewrites();
    const times = fight(rewrites, 3_600_000);
    assert.ok(times[most + 1] === (most + 1) * 10);
    const pauses = times.slice(most + 2).map((each, at) => each - (times[most + 1 + at] ?? 0));
    assert.deepEqual(pauses.slice(0, 4), [slowMs, 2 * slowMs, 4 * slowMs, 8 * slowMs]);
    assert.ok(pauses.slice(4).every((each) => each === slowMostMs));
  });

  it("is said to be contested once, at the repair that is too many", () => {
    const rewrites = new Rewrites();
    const said = Array.from({ length: most + 4 }, (_, at) => rewrites.wrote("a", "roots", at));
    assert.equal(said.indexOf(true), most + 1);
    assert.equal(said.filter(Boolean).length, 1);
    assert.ok(rewrites.isContested("a", 10) && !rewrites.isContested("b", 10));
  });

  it("is restless until what we wrote has stood for as long as a repair waits at least", () => {
    const rewrites = new Rewrites();
    for (let at = 0; at < most + 2; at++) rewrites.wrote("a", "roots", at);
    const times = [0, slowMs, slowMs + most + 1].map((nowMs) => rewrites.isRestless("a", nowMs));
    assert.deepEqual(times, [true, true, false]);
    assert.ok(!rewrites.isRestless("b", 0));
  });

  it("is not contested where hands edit it now and then", () => {
    const rewrites = new Rewrites();
    for (let at = 0; at < 100; at++) rewrites.wrote("a", "roots", (at * windowMs) / most);
    assert.ok(!rewrites.isContested("a", 100 * windowMs));
  });

  it("holds back nothing that is wanted anew, and is no repair then", () => {
    const rewrites = new Rewrites();
    fight(rewrites, 1_000);
    assert.ok(rewrites.waitMs("a", "roots", 1_000) > 0);
    assert.equal(rewrites.waitMs("a", "other roots", 1_000), 0);
    const quiet = new Rewrites();
    for (let at = 0; at < 20; at++) assert.ok(!quiet.wrote("a", `roots ${at}`, at));
  });

  it("is forgotten after a long time of quiet, and with its object", () => {
    const rewrites = new Rewrites();
    fight(rewrites, 1_000);
    const laterMs = 1_000 + 2 * slowMostMs;
    assert.ok(!rewrites.isContested("a", laterMs));
    const muchLaterMs = laterMs + windowMs;
    assert.ok(!rewrites.wrote("a", "roots", muchLaterMs));
    assert.equal(rewrites.waitMs("a", "roots", muchLaterMs), 0);
    fight(rewrites, 1_000);
    rewrites.forget("a");
    assert.equal(rewrites.waitMs("a", "roots", 1_000), 0);
  });
});
