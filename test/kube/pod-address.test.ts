/** Where a pod's token comes from: the test's callers are all at 127.0.0.1. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { CoreV1Api } from "@kubernetes/client-node";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import { MeshService, MintJwtSvidRequestSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { CODE, dialWire, frame } from "../server/grpc-wire.ts";
import { eventually, scrape } from "../support/control-plane.ts";
import { ClusterCallers, type Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const { path: mintPath } = methodDefinition(MeshService, MeshService.method.mintJwtSvid);

describe("a token from another address than its pod's", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster.stop());

  const node = async (): Promise<string> => (await cluster.node("node")).name;
  const count = async (callers: ClusterCallers, action: string): Promise<number> => {
    const name = `portcullis_kube_pod_address_mismatches_total{action="${action}"}`;
    return (await scrape(callers.server)).get(name) ?? 0;
  };

  it("is refused where an operator says so, and the pod's own is not", async () => {
    await using callers = await ClusterCallers.start(cluster, { "pod-address": "refuse" });
    const [home, away] = [
      await callers.workload({ node: await node(), ip: "127.0.0.1" }),
      await callers.workload({ node: await node(), ip: "10.1.2.3" }),
    ];
    await eventually(async () => (await callers.ask(away.token)) === "token-address");
    assert.equal(await callers.ask(home.token), "issued");
    const line = callers.refusalOf(await callers.call(away.token));
    assert.match(String(line["detail"]), /^expected 10\.1\.2\.3, got 127\.0\.0\.1:\d+$/);
    assert.ok((await count(callers, "refuse")) >= 2);
  });

  it("is logged once where it is only to be told, and counted", async () => {
    await using callers = await ClusterCallers.start(cluster);
    const away = await callers.workload({ node: await node(), ip: "10.1.2.3" });
    const said = () => callers.server.log.filter(({ event }) => event === "pod-address");
    await eventually(async () => (await callers.ask(away.token)) === "issued" && said().length > 0);
    assert.equal(await callers.ask(away.token), "issued");
    assert.equal(said().length, 1);
    assert.equal(said()[0]?.["pod"], `${away.pod.namespace}/${away.pod.name}`);
    assert.ok((await count(callers, "warn")) >= 2);
  });

  it("is refused for a JWT-SVID, too", async () => {
    await using callers = await ClusterCallers.start(cluster, { "pod-address": "refuse" });
    const [home, away] = [
      await callers.workload({ node: await node(), ip: "127.0.0.1" }),
      await callers.workload({ node: await node(), ip: "10.1.2.3" }),
    ];
    await using wire = dialWire(callers.server);
    const request = create(MintJwtSvidRequestSchema, { audience: ["db"] });
    const body = frame(toBinary(MintJwtSvidRequestSchema, request));
    const mint = async ({ token }: Workload): Promise<number> =>
      (await wire.call(mintPath, body, { authorization: `Bearer ${token}` })).code;
    assert.equal(await mint(home), CODE.ok);
    assert.equal(await mint(away), CODE.unauthenticated);
  });

  it("is not looked at where that is off", async () => {
    await using off = await ClusterCallers.start(cluster, { "pod-address": "off" });
    const away = await off.workload({ node: await node(), ip: "10.1.2.3" });
    assert.equal(await off.ask(away.token), "issued");
  });

  it("is waited for where others are refused, and who has none in time is told to come again", async () => {
    await using callers = await ClusterCallers.start(cluster, { "pod-address": "refuse" });
    const young = await callers.workload({ node: await node() });
    assert.equal(await callers.ask(young.token), "identities-unavailable");
    assert.equal(await count(callers, "unknown"), 1);
    const asked = callers.ask(young.token);
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const pod = await core.readNamespacedPod(young.pod);
    const status = { phase: "Running", podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }] };
    const body = Object.assign(pod, { status });
    await core.replaceNamespacedPodStatus({ ...young.pod, body });
    assert.equal(await asked, "issued");
  });
});
