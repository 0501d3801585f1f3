/** Twenty Envoys through a rotation for each fault, with an agent in trouble at each step: it is named, and none fails. */

import { test } from "node:test";
import { faults } from "./faults.ts";
import { Rig, twenty } from "./rig.ts";
import { activateDuring, prepareDuring, retireDuring } from "./steps.ts";
import { assertNoneFailed, verdictText } from "./verdict.ts";

for (const fault of faults) {
  test(`stops, names who is ${fault.name} at each step, and goes on`, async (t) => {
    const isWired = fault.needsWire === true;
    const options = { agents: twenty, ttlSeconds: 20, ratePerSecond: 150, isWired };
    await using rig = await Rig.open(options);
    await rig.untilAllHold(1);
    await prepareDuring(rig, fault, "s1");
    await activateDuring(rig, fault, "node-a");
    await rig.untilAllHold(2);
    await retireDuring(rig, fault, "node-b");
    const verdict = await rig.verdict();
    t.diagnostic(verdictText(verdict));
    assertNoneFailed(verdict);
  });
}
