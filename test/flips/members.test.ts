/** Of whom a flip of a real server asks: whoever may refuse somebody, and nobody who is gone for ever. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { changeResources } from "../../src/edge/rpc/resource-client.ts";
import { addCallerWaivers, checkMtls } from "../../src/edge/rpc/flip-client.ts";
import { eventually } from "../support/control-plane.ts";
import { coverageOf } from "../support/evidence.ts";
import {
  begun,
  flipPort,
  openScene,
  operator,
  flipNow,
  refusedStart,
  settle,
  verdictNow,
  workloadYaml,
} from "./flips-rig.ts";
import { RawAgent } from "./raw-agent.ts";

it("a workload that asks by ext_authz, and that no object names a port of, is UNKNOWN by name, and can be waived", async () => {
  await using scene = await openScene({ names: ["api-0"], mode: "" });
  await scene.apply(workloadYaml("ext-0", "10.0.0.90"));
  const ext = new RawAgent("ext-0");
  using _ = { [Symbol.dispose]: () => ext.close() };
  ext.hasListeners = false;
  await ext.open(scene.plane);
  await eventually(() => ext.told.length > 0);
  scene.clock.advance(40_000);
  await scene.covered();
  const { verdict, silent } = await verdictNow(scene, "shop");
  const names = silent.map(({ name, reason }) => `${name} ${reason}`);
  assert.deepEqual([verdict, names], ["unknown", ["proxy/shop/ext-0 never-reported"]]);
  const order = { target: "shop", stages: "all" };
  assert.equal((await refusedStart(scene, order)).code, "not-safe");
  await addCallerWaivers(scene.admin, {
    target: "shop",
    names: ["proxy/shop/ext-0"],
    reason: "its listeners are its own",
    operator,
    untilMs: scene.clock.nowMs() + 3_600_000,
  });
  await begun(scene, order);
  await eventually(() => ext.others === "strict");
});

it("a flip whose only workload was replaced within the look-back opens its last stage", async () => {
  await using scene = await openScene({ names: ["api-0"] });
  await scene.apply(workloadYaml("api-9", "10.0.0.99"));
  const old = new RawAgent("api-9");
  using _ = { [Symbol.dispose]: () => old.close() };
  const epochMs = scene.clock.nowMs();
  await old.open(scene.plane);
  await eventually(() => old.told.length > 0);
  scene.clock.advance(700_000);
  await scene.covered();
  await old.saw(epochMs, [], [coverageOf(epochMs, scene.clock.nowMs(), { port: flipPort })]);
  const entry = { kind: "WorkloadEntry", namespace: "shop", name: "api-9" } as const;
  await changeResources(scene.admin, { apply: [], remove: [entry], isDryRun: false, operator });
  old.leave();
  const asked = { target: "shop/api", operator, lookBack: 600 };
  await eventually(async () => {
    // Its Envoy has ended when nothing has come of it for a minute.
    scene.clock.advance(5_000);
    await scene.covered();
    const { result } = await checkMtls(scene.admin, asked);
    return result.case === "verdict" && result.value.verdict === "safe";
  }, 20_000);
  await begun(scene, { stages: "1,10%,all", lookBack: 600 });
  await eventually(async () => {
    const { state, waits } = await flipNow(scene);
    // Only then: the look-back is not to pass it.
    if (waits.some(({ kind }) => kind === "evidence")) await settle(scene);
    return state === "watching";
  }, 10_000);
});
