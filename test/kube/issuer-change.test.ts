/** A cluster's admin gives it another issuer, the documented way: the new one first, the old one still accepted. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { eventually } from "../support/control-plane.ts";
import { audience, ClusterCallers, type Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { serviceAccountIssuer as former } from "./servers.ts";
import { skipKube } from "./skip-kube.ts";
import { claimsOf, resignToken } from "./token-review.ts";

const current = "https://new.example";
/** The least time from one read of the keys to the next, and a machine that others use, too. */
const readAgainMs = 15_000;
const checks = ["watched", "review", "review-always"] as const;

describe("servers in a cluster whose issuer is changed", { skip: skipKube }, () => {
  let cluster: Cluster;
  let workload: Workload;
  /** Of the same pod, by the API server as it is now. */
  let renewed: string;
  const servers = new Map<string, ClusterCallers>();
  const owned = new AsyncDisposableStack();

  before(async () => {
    cluster = await startCluster();
    owned.defer(() => cluster.stop());
    for (const check of checks) {
      servers.set(check, owned.use(await ClusterCallers.start(cluster, { "token-check": check })));
    }
    const [first] = servers.values();
    assert.ok(first !== undefined);
    workload = await first.workload();
    for (const callers of servers.values()) {
      assert.equal(await callers.ask(workload.token), "issued");
    }
    await cluster.restart({ "service-account-issuer": [current, former] });
    const { account, pod } = workload;
    renewed = await cluster.tokenOf(account, { pod, audience });
    assert.deepEqual(
      [claimsOf(workload.token)["iss"], claimsOf(renewed)["iss"]],
      [former, current],
    );
  });

  after(() => owned.disposeAsync());

  for (const check of checks) {
    it(`sign for tokens of both, and of no third, without a restart: ${check}`, async () => {
      const callers = servers.get(check);
      assert.ok(callers !== undefined);
      await eventually(async () => (await callers.ask(renewed)) === "issued", readAgainMs);
      assert.equal(await callers.ask(workload.token), "issued");
      const third = resignToken(renewed, { iss: "https://third.example" }, cluster.tokenKeyPem);
      const refusal = callers.refusalOf(await callers.call(third));
      assert.equal(refusal["reason"], "token-issuer");
      assert.equal(
        refusal["detail"],
        `expected issuer "${current}" or "${former}", got "https://third.example"`,
      );
      const { kube } = await fetchStatus(callers.server.controlPlane.endpoints.admin);
      assert.equal(kube?.issuer, current);
    });
  }

  it("know after a restart of their own the new one alone, and say so", async () => {
    await using callers = await ClusterCallers.start(cluster);
    assert.equal(await callers.ask(renewed), "issued");
    const refusal = callers.refusalOf(await callers.call(workload.token));
    assert.equal(refusal["reason"], "token-issuer");
    assert.equal(refusal["detail"], `expected issuer "${current}", got "${former}"`);
  });
});
