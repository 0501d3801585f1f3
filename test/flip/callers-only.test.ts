/** Workloads that only call are no part of what can go strict: neither their silence nor a plan waits for them. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { planFlips } from "../../src/edge/rpc/flip-client.ts";
import { openScene, operator, verdictNow, workloadYaml } from "../flips/flips-rig.ts";
import { RawAgent } from "../flips/raw-agent.ts";
import { eventually } from "../support/control-plane.ts";

const jobSidecar = `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: job, namespace: shop }
spec: { workloadSelector: { labels: { app: job } }, egress: [{ hosts: ["./*"] }] }
`;

it("a namespace is SAFE whatever a workload that only calls has told, its plan has none of it, and who is called without a proxy is named", async () => {
  await using scene = await openScene({ names: ["api-0", "web-0"] });
  await scene.apply(`${workloadYaml("job-0", "10.0.0.90")}---\n${jobSidecar}`);
  const job = new RawAgent("job-0");
  await job.open(scene.plane);
  await eventually(() => job.told.length > 0);
  scene.clock.advance(40_000);
  await scene.covered();
  const { verdict, silent, withoutProxy } = await verdictNow(scene, "shop");
  assert.deepEqual(
    [verdict, silent.map(({ name, reason }) => `${name} ${reason}`), withoutProxy],
    ["safe", [], []],
  );
  const plan = await planFlips(scene.admin, { namespace: "shop", operator, lookBack: undefined });
  assert.deepEqual(
    plan.map(({ target }) => target),
    ["shop/api", "shop/web-0"],
  );
  await scene.apply(workloadYaml("api-9", "10.0.0.99"));
  assert.deepEqual((await verdictNow(scene)).withoutProxy, ["shop/api-9"]);
  job.close();
});
