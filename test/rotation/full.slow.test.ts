/**
 * Twenty Envoys through a rotation with a rollback, and through two aborts: every ordered pair shakes hands under each
 * combination of old and new certificates, and none fails.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOver } from "../../src/app/demo/mesh/operator.ts";
import { Rig, twenty } from "./rig.ts";
import { patience } from "./steps.ts";
import { assertNoneFailed, verdictText } from "./verdict.ts";

const pairs = 380;
/** Two that renew at the same moment meet as old and new in one of the next passes. */
const passesMax = 12;

test("twenty Envoys change their root, roll back and abort, and no handshake fails", async (t) => {
  // At two certificates a second old and new ones meet for ten seconds.
  const flags = { "reissue-per-second": "2" };
  const options = { agents: twenty, ttlSeconds: 30, ratePerSecond: 150, flags };
  await using rig = await Rig.open(options);
  const { operator, traffic } = rig;
  const step = async (kind: Parameters<typeof operator.insist>[0]): Promise<void> => {
    const startedMs = performance.now();
    await operator.insist(kind, patience());
    const { coverage, failed, sent } = traffic;
    const tookMs = Math.round(performance.now() - startedMs);
    t.diagnostic(
      `${kind} after ${tookMs} ms: ${JSON.stringify({ sent, failed, ...coverage.seen })}`,
    );
  };
  const isSeen = (key: string): boolean => traffic.coverage.seen[key] === pairs;

  await rig.untilAllHold(1);
  await step("prepare");
  await step("activate");
  await rig.untilAllHold(2);
  for (let pass = 0; pass < passesMax; pass += 2) {
    if (pass > 0 && ["1/1", "1/2", "2/1", "2/2"].every(isSeen)) break;
    await step("rollback");
    await rig.untilAllHold(1);
    await step("activate");
    await rig.untilAllHold(2);
  }
  await step("retire");
  await operator.until(isOver, patience());

  await step("prepare");
  await step("abort");
  await operator.until(isOver, patience());

  await step("prepare");
  await step("activate");
  await rig.untilAllHold(3);
  await step("rollback");
  await rig.untilAllHold(2);
  // It has signed: what it signed must have expired.
  await step("abort");
  await operator.until(isOver, patience());

  const verdict = await rig.verdict();
  t.diagnostic(verdictText(verdict));
  assertNoneFailed(verdict);
  for (const key of ["1/1", "1/2", "2/1", "2/2"]) assert.equal(verdict.seen[key], pairs, key);
});
