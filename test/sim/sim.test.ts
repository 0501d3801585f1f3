/** The simulator in every run of the tests: some hundred schedules without a violation, the same ones each time, and a fault that shrinks. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Coverage } from "../../sim/run/coverage.ts";
import { describeFault } from "../../sim/run/report.ts";
import { replay, runSchedule } from "../../sim/run/schedule.ts";
import { shrink } from "../../sim/run/shrink.ts";

const seed = 6;
const schedules = 400;

describe("a simulated mesh", () => {
  it(`keeps its promise through ${schedules} schedules`, () => {
    const coverage = new Coverage();
    let events = 0;
    for (let schedule = 0; schedule < schedules; schedule++) {
      const outcome = runSchedule(seed, schedule, coverage);
      events += outcome.events;
      if (outcome.fault !== undefined) assert.fail(describeFault(seed, schedule, outcome));
    }
    assert.ok(events >= 200 * schedules, `${events} events`);
    // It would keep any promise if nothing ever happened.
    for (const command of ["prepare", "activate", "rollback", "retire", "abort", "confirm"]) {
      assert.ok(coverage.count(command, "done") > 0, `${command} was never done`);
    }
  });

  it("does the same thing for the same seed, also from a list of choices", () => {
    const once = runSchedule(seed, 7, new Coverage());
    const told: string[] = [];
    const again = replay(seed, 7, new Coverage(), once.choices, (text) => told.push(text));
    assert.equal(once.fault, undefined);
    assert.equal(again.events, once.events);
    assert.equal(told.filter((text) => text.startsWith("- ")).length, once.choices.length);
  });
});

describe("shrinking", () => {
  it("leaves only what the fault needs", () => {
    const { choices } = runSchedule(seed, 7, new Coverage());
    const needed = [choices[3], choices[20], choices.at(-1)];
    const fails = (fewer: typeof choices) =>
      needed.every((each) => each !== undefined && fewer.includes(each));
    assert.deepEqual(shrink(choices, fails), needed);
  });
});
