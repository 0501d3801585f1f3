/** Bugs of flips that are planted on purpose: the simulator of flips finds each of them. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flipMutations } from "../../sim/flip/mutations.ts";
import { runWithBug } from "./planted-bug.ts";

const isPatient = process.env["PORTCULLIS_LONG"] === "1";

describe("the simulator of flips finds", { concurrency: 2 }, () => {
  for (const bug of flipMutations) {
    const skip = bug.isLong === true && !isPatient && "minutes: with PORTCULLIS_LONG=1";
    it(bug.name, { skip }, async () =>
      assert.match(await runWithBug("flip", bug), /^VIOLATION: /m),
    );
  }
});
