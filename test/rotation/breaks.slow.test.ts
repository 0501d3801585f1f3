/** That the rig sees what it says it does not see: after a root is distrusted at once, handshakes fail, and both sides count them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { authorityIn } from "../../src/app/demo/mesh/operator.ts";
import { changeRoot } from "../../src/edge/rpc/root-client.ts";
import { Rig } from "./rig.ts";
import { patience } from "./steps.ts";
import { verdictText } from "./verdict.ts";

const agents = [{ name: "s1" }, { name: "node", members: ["a1", "a2", "a3"] }];

test("counts the handshakes that a compromised root breaks, until all are renewed", async (t) => {
  await using rig = await Rig.open({ agents, ttlSeconds: 30, ratePerSecond: 100, isWired: true });
  const { operator, server, traffic } = rig;
  await rig.untilAllHold(1);
  await operator.insist("prepare", patience());
  await sleep(1_000);
  assert.equal(traffic.failed, 0);
  // Its certificates cannot be renewed in time.
  rig.wire("s1").cut();
  const authorityId = authorityIn(await operator.status(), "active")?.id ?? "";
  const command = { kind: "compromise", authorityId } as const;
  await changeRoot(server.admin, { command, operator: "test", dryRun: false });
  await sleep(4_000);
  rig.wire("s1").mend();
  await rig.untilAllHold(2);
  await sleep(2_000);
  const { failed } = traffic;
  await sleep(2_000);
  assert.equal(traffic.failed, failed, "it goes on failing");
  const verdict = await rig.verdict();
  t.diagnostic(verdictText(verdict));
  assert(failed > 0);
  assert(Object.values(verdict.tls.failures).some((count) => count > 0));
  assert(verdict.failures.some(({ caller, callee }) => caller === "s1" || callee === "s1"));
});
