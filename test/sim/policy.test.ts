/** The simulator of policies in every run of the tests, and that its planted bugs apply to the code as it is. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mutated } from "../../sim/mutation/patch.ts";
import { policyMutations } from "../../sim/policy/mutations.ts";
import { policySchedules } from "../../sim/policy/schedule.ts";

const root = join(import.meta.dirname, "..", "..");
const seed = 7;
const schedules = 20_000;

describe("a simulated mesh under policy", () => {
  it(`keeps its promise through ${schedules} schedules`, () => {
    let events = 0;
    for (let schedule = 0; schedule < schedules; schedule++) {
      const outcome = policySchedules.run(seed, schedule);
      events += outcome.events;
      if (outcome.fault !== undefined)
        assert.fail(policySchedules.describe(seed, schedule, outcome));
    }
    assert.ok(events >= 50 * schedules, `${events} events`);
  });

  it("does the same thing for the same seed", () => {
    const [once, again] = [policySchedules.run(seed, 3), policySchedules.run(seed, 3)];
    assert.deepEqual(once, again);
  });
});

describe("planted bugs of the rollout", () => {
  for (const mutation of policyMutations) {
    it(`apply: ${mutation.name}`, () => {
      const text = readFileSync(join(root, mutation.file), "utf8");
      assert.notEqual(mutated(mutation, text), text);
    });
  }
});
