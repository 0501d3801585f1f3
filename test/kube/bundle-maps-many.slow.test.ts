/** 1,000 namespaces: all have the roots in time after a change of them, by what one watch has seen, and at a price that is known. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { BundleMapsUnderTest, until } from "../support/bundle-maps.ts";
import { startCluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const count = 1_000;
/** What the present roots of a rotation are in PEM. */
const rootBytes = 900;

describe("1,000 namespaces", { skip: skipKube }, () => {
  it("have the roots of now 20 s after a change, at most 10 ms of the API server's CPU each", async (test) => {
    await using cluster = await startCluster();
    const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    const made = Array.from({ length: 20 }, async () => {
      for (let at = 0; at < count / 20; at++) await cluster.namespace("many");
    });
    await Promise.all(made);
    await using maps = new BundleMapsUnderTest(cluster, access, ["a".repeat(rootBytes)]);
    await until(() => maps.state.total >= count && maps.state.current === maps.state.total);

    const [before, startMs] = [cluster.cpuMs(), performance.now()];
    maps.trust("a".repeat(rootBytes), "b".repeat(rootBytes));
    await until(() => maps.state.current === maps.state.total);
    const ms = performance.now() - startMs;
    const after = cluster.cpuMs();
    const { total } = maps.state;
    const cpuMs = (after.apiServer - before.apiServer + after.etcd - before.etcd) / total;
    test.diagnostic(`${total} in ${Math.round(ms)} ms, ${cpuMs.toFixed(2)} ms of CPU each`);
    assert.ok(ms < 20_000, `${ms} ms`);
    assert.ok(cpuMs < 10, `${cpuMs} ms of CPU each`);
    assert.deepEqual([maps.state.failing, maps.state.contested, maps.events], [[], 0, []]);
    const counted = await maps.registry.getSingleMetricAsString(
      "portcullis_bundle_map_writes_total",
    );
    assert.match(counted, new RegExp(`result="written"} ${2 * total}\\b`));
  });
});
