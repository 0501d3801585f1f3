/** The simulator of flips in every run of the tests, and that its planted bugs apply to the code as it is. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { flipMutations } from "../../sim/flip/mutations.ts";
import { flipSchedules } from "../../sim/flip/schedule.ts";
import { mutated } from "../../sim/mutation/patch.ts";

const root = join(import.meta.dirname, "..", "..");
const seed = 7;
const schedules = 300;

describe("a simulated mesh in which targets go strict", () => {
  it(`keeps its promises through ${schedules} schedules`, () => {
    let events = 0;
    for (let schedule = 0; schedule < schedules; schedule++) {
      const outcome = flipSchedules.run(seed, schedule);
      events += outcome.events;
      if (outcome.fault !== undefined) {
        assert.fail(flipSchedules.describe(seed, schedule, outcome));
      }
    }
    assert.ok(events >= 1_000 * schedules, `${events} events`);
  });

  it("does the same thing for the same seed", () => {
    const [once, again] = [flipSchedules.run(seed, 3), flipSchedules.run(seed, 3)];
    assert.deepEqual(once, again);
  });
});

describe("planted bugs of flips", () => {
  it("are 40 at least, each with a name of its own", () => {
    assert.ok(flipMutations.length >= 40);
    assert.equal(new Set(flipMutations.map(({ name }) => name)).size, flipMutations.length);
  });

  for (const mutation of flipMutations) {
    it(`apply: ${mutation.name}`, () => {
      const text = readFileSync(join(root, mutation.file), "utf8");
      assert.notEqual(mutated(mutation, text), text);
    });
  }
});
