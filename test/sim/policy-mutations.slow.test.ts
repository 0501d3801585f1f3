/** Bugs of the rollout that are planted on purpose: the simulator of policies finds each of them. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { policyMutations } from "../../sim/policy/mutations.ts";
import { runWithBug } from "./planted-bug.ts";

describe("the simulator of policies finds", { concurrency: 2 }, () => {
  for (const bug of policyMutations) {
    it(bug.name, async () => assert.match(await runWithBug("policy", bug), /^VIOLATION: /m));
  }
});
