/** A whole rotation with three real Envoys, in less than a minute: stopped by a frozen agent, rolled back, done. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOver } from "../../src/app/demo/mesh/operator.ts";
import { faults } from "./faults.ts";
import { Rig } from "./rig.ts";
import { patience, prepareDuring } from "./steps.ts";
import { assertNoneFailed } from "./verdict.ts";

const agents = [{ name: "web" }, { name: "node", members: ["cart", "pay"] }];

test("three Envoys change their root, and no handshake fails", { timeout: 100_000 }, async () => {
  const [frozen] = faults;
  assert(frozen !== undefined);
  await using rig = await Rig.open({ agents, ttlSeconds: 15, ratePerSecond: 50 });
  const { operator } = rig;
  await rig.untilAllHold(1);
  await prepareDuring(rig, frozen, "web");
  await operator.insist("activate", patience());
  await rig.untilAllHold(2);
  await operator.insist("rollback", patience());
  await rig.untilAllHold(1);
  await operator.insist("activate", patience());
  await rig.untilAllHold(2);
  await operator.insist("retire", patience());
  await operator.until(isOver, patience());
  const verdict = await rig.verdict();
  assertNoneFailed(verdict);
  assert.deepEqual([verdict.seen["1/1"], verdict.seen["2/2"]], [6, 6]);
});
