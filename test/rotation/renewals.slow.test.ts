/** The ground that rotations stand on: without one, twenty Envoys renew for a minute, and no handshake fails. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Rig, twenty } from "./rig.ts";
import { assertNoneFailed, verdictText } from "./verdict.ts";

test("twenty Envoys renew certificates of 15 s for a minute, and no handshake fails", async (t) => {
  await using rig = await Rig.open({ agents: twenty, ttlSeconds: 15, ratePerSecond: 150 });
  await sleep(60_000);
  const verdict = await rig.verdict();
  t.diagnostic(verdictText(verdict));
  assertNoneFailed(verdict);
  assert.deepEqual(verdict.seen, { "1/1": 380 });
});
