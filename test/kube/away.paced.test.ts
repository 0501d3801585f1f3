/** An API server that is frozen, killed or slow: whoever cannot be looked up is nobody, and who is known stays so for a while. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import { CODE } from "../server/grpc-wire.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { audience, ClusterCallers, type Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

describe("a server whose cluster's API server", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  it("is frozen checks by the watches while they are current, and then lets nobody pass", async () => {
    await using callers = await ClusterCallers.start(cluster, { "kube-staleness-max": "3s" });
    const { token } = await callers.workload();
    assert.equal(await callers.ask(token), "issued");
    cluster.freeze();
    try {
      assert.equal(await callers.ask(token), "issued");
      await eventually(async () => (await modeOf(callers)) === "review", 10_000);
      const reply = await callers.call(token);
      assert.equal(reply.code, CODE.unavailable);
      assert.equal(reply.message, "identities cannot be checked now: try again");
      assert.ok(Number(reply.metadata["grpc-retry-pushback-ms"]) > 0);
      assert.equal(callers.refusalOf(reply)["reason"], "identities-unavailable");
      const { kube } = await fetchStatus(callers.server.controlPlane.endpoints.admin);
      assert.deepEqual([kube?.tokenCheck, kube?.tokenCheckConfigured], ["review", "watched"]);
      const behind = kube?.watches.find(({ resource }) => resource === "pods")?.staleMs;
      assert.ok(behind !== undefined && behind > 3_000n, String(behind));
    } finally {
      cluster.thaw();
    }
    await eventually(async () => (await modeOf(callers)) === "watched", 10_000);
    assert.equal(await callers.ask(token), "issued");
  });

  it("is killed and comes again goes on by itself, and knows what happened meanwhile", async () => {
    await using callers = await ClusterCallers.start(cluster, { "kube-staleness-max": "2s" });
    const [stays, goes] = [await callers.workload(), await callers.workload()];
    assert.deepEqual(await Promise.all([stays, goes].map(({ token }) => callers.ask(token))), [
      "issued",
      "issued",
    ]);
    await cluster.kill();
    await eventually(async () => (await modeOf(callers)) === "review", 10_000);
    assert.equal(await callers.ask(stays.token), "identities-unavailable");
    await cluster.restart();
    // By a review, before the watches are current again.
    await eventually(async () => (await callers.ask(stays.token)) === "issued", 10_000);
    await cluster.deletePod(goes.pod);
    await eventually(async () => (await callers.ask(goes.token)) === "token-revoked", 12_000);
    await eventually(async () => (await modeOf(callers)) === "watched", 30_000);
    assert.equal(await callers.ask(stays.token), "issued");
  });

  it("is asked once for each token, however many ask at the same time", async () => {
    await using callers = await ClusterCallers.start(cluster, { "token-check": "review" });
    const { token } = await callers.workload();
    const all = await Promise.all(Array.from({ length: 50 }, () => callers.ask(token)));
    assert.deepEqual(new Set(all), new Set(["issued"]));
    assert.equal(await reviewsOf(callers, "authenticated"), 1);
    assert.equal(await callers.ask(token), "issued");
    assert.equal(await reviewsOf(callers, "authenticated"), 1);
  });

  it("is asked for each call where it is always to be asked", async () => {
    await using callers = await ClusterCallers.start(cluster, { "token-check": "review-always" });
    const { token } = await callers.workload();
    for (let call = 0; call < 3; call++) assert.equal(await callers.ask(token), "issued");
    assert.equal(await reviewsOf(callers, "authenticated"), 3);
  });

  it("holds a flood of tokens without an answer, and keeps room for others", async () => {
    await using callers = await ClusterCallers.start(cluster, { "token-check": "review" });
    const { account } = await callers.workload();
    const known = await callers.workload();
    // More than may be under way and wait.
    const tokens: string[] = [];
    for (let at = 0; at < 350; at++) tokens.push(await cluster.tokenOf(account, { audience }));
    assert.equal(await callers.ask(known.token), "issued");
    cluster.freeze();
    try {
      const flood = Promise.all(tokens.map((token) => callers.ask(token)));
      // What was answered a moment ago needs nobody.
      assert.equal(await callers.ask(known.token), "issued");
      assert.deepEqual(new Set(await flood), new Set(["identities-unavailable"]));
    } finally {
      cluster.thaw();
    }
    await eventually(async () => (await callers.ask(tokens[0] ?? "")) === "issued", 10_000);
  });

  it("is away at the start is waited for, and then said", async () => {
    const impatient = async (): Promise<Workload> => {
      await using callers = await ClusterCallers.start(cluster, { "kube-context": "nowhere" });
      return await callers.workload();
    };
    await assert.rejects(impatient, /expected a context of .*, got nowhere/);
  });
});

async function modeOf(callers: ClusterCallers): Promise<string> {
  const samples = await scrape(callers.server);
  const on = Array.from(samples).find(
    ([name, value]) => name.startsWith("portcullis_kube_token_check{") && value === 1,
  );
  return /mode="(.*)"/.exec(on?.[0] ?? "")?.[1] ?? "";
}

async function reviewsOf(callers: ClusterCallers, result: string): Promise<number> {
  const samples = await scrape(callers.server);
  return samples.get(`portcullis_kube_reviews_total{result="${result}"}`) ?? 0;
}
