/** A server that records nothing of connections: nothing is SAFE by its silence, and the way back does not ask. */

import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { checkMtls, planFlips } from "../../src/edge/rpc/flip-client.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  apiNames,
  begun,
  flipNow,
  inForce,
  modesAre,
  openScene,
  operator,
  reached,
  refusedStart,
  revert,
  serveScene,
  shopManifests,
  TestClock,
  verdictNow,
} from "./flips-rig.ts";
import { RawAgent } from "./raw-agent.ts";

it("without a file nothing is judged or begun", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "evidence.db"));
  const clock = new TestClock();
  const served = { dataDir: directory.path, clock, agents: [], epochMs: clock.nowMs() };
  await using scene = await serveScene(served);
  await scene.apply(shopManifests(apiNames));
  const asked = { target: "shop/api", operator, lookBack: undefined };
  const { result } = await checkMtls(scene.admin, asked);
  assert.equal(result.case === "refused" && result.value.code, "evidence-unavailable");
  assert.equal((await refusedStart(scene)).code, "evidence-unavailable");
  const plan = { namespace: "shop", operator, lookBack: undefined };
  await assert.rejects(planFlips(scene.admin, plan), /nothing is known of who calls/);
});

it("says of evidence that was set aside that it was, also after another start", async () => {
  using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  const names = ["api-0"];
  {
    await using scene = await openScene({ dataDir, names });
    assert.equal((await verdictNow(scene)).verdict, "safe");
  }
  writeFileSync(join(dataDir, "evidence.db"), "no database".repeat(1_000));
  const clock = new TestClock(60_000);
  for (let start = 0; start < 2; start += 1) {
    const agents = names.map((name) => new RawAgent(name));
    await using scene = await serveScene({ dataDir, clock, agents, epochMs: clock.nowMs() });
    for (const agent of agents) await agent.open(scene.plane);
    const { target, reason } = await eventually(async () => {
      const { verdict, silent } = await verdictNow(scene);
      assert.equal(verdict, "unknown");
      const first = silent.find(({ name }) => name === "target/shop/api");
      return first?.reason === "set-aside" && { target: first.name, reason: first.reason };
    });
    assert.deepEqual([target, reason], ["target/shop/api", "set-aside"]);
  }
});

it("a flip whose evidence is lost opens nothing more, holds back what it held, and is taken back when asked", async () => {
  using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  const names = ["api-0", "api-1"];
  {
    await using scene = await openScene({ dataDir, names });
    await begun(scene);
    await inForce(scene, 0);
  }
  renameSync(join(dataDir, "evidence.db"), join(directory.path, "gone"));
  mkdirSync(join(dataDir, "evidence.db"));
  const clock = new TestClock(60_000);
  const agents = names.map((name) => new RawAgent(name));
  await using scene = await serveScene({ dataDir, clock, agents, epochMs: clock.nowMs() });
  for (const agent of agents) await agent.open(scene.plane, false);
  await modesAre(scene, "strict", "permissive");
  clock.advance(3_600_000);
  const { state, stage, waits } = await flipNow(scene);
  assert.deepEqual([state, stage], ["stage", 0]);
  assert.deepEqual(
    waits.map(({ kind, name }) => `${kind} ${name}`),
    ["evidence shop/api", "evidence shop/api-0", "evidence shop/api-1"],
  );
  await revert(scene);
  await reached(scene, "reverted");
  await modesAre(scene, "permissive", "permissive");
});
