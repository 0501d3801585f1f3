/** A whole server in a cluster: what it lists, and a verifier that is gone with its pod. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { goodbyesFrom } from "../../src/app/server/mesh/goodbye-event.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { listResources } from "../../src/edge/rpc/resource-client.ts";
import { sign, dialWire } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { ClusterCallers, type Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import type { PodOptions } from "./objects.ts";
import { skipKube } from "./skip-kube.ts";

const root = join(import.meta.dirname, "../..");

describe("a server in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(() => cluster.stop());

  it("lists the cluster's policies, and pods and services by their own names", async () => {
    await using callers = await ClusterCallers.start(cluster);
    const { account } = await callers.workload({ name: "cart-0", ip: "10.3.0.1" });
    const { namespace } = account;
    const spec = { selector: { app: "cart" }, ports: [{ port: 80 }] };
    await core.createNamespacedService({ namespace, body: { metadata: { name: "cart" }, spec } });
    await cluster
      .kubeConfig()
      .makeApiClient(CustomObjectsApi)
      .createNamespacedCustomObject({
        group: "security.istio.io",
        version: "v1",
        plural: "peerauthentications",
        namespace,
        body: {
          apiVersion: "security.istio.io/v1",
          kind: "PeerAuthentication",
          metadata: { name: "default" },
          spec: { mtls: { mode: "STRICT" } },
        },
      });
    const { admin } = callers.server.controlPlane.endpoints;
    const names = async (): Promise<readonly string[]> => {
      const { objects } = await listResources(admin);
      return objects
        .map(({ object }) => ({ ...object.object.ref, ...object.object.ref.standsFor }))
        .filter((ref) => ref.namespace === namespace)
        .map(({ kind, name }) => `${kind} ${name}`)
        .toSorted();
    };
    const expected = ["PeerAuthentication default", "Pod cart-0", "Service cart"];
    await eventually(async () => (await names()).length === expected.length);
    assert.deepEqual(await names(), expected);
  });

  it("writes the goodbye of an agent whose pod has ended, and waits for one whose pod is gone by force", async () => {
    await using callers = await ClusterCallers.start(cluster);
    await using wire = dialWire(callers.server);
    const node = (await cluster.node("node")).name;
    const ask = async (agent: string, options: PodOptions): Promise<Workload> => {
      const workload = await callers.workload({ node, ip: "10.3.0.2", ...options });
      const headers = { "portcullis-agent-id": agent };
      const { code, message } = await sign(wire, {
        authorization: `Bearer ${workload.token}`,
        headers,
      });
      assert.equal(code, 0, message);
      return workload;
    };
    const goodbyes = (): readonly string[] => {
      using reader = LogReader.open(callers.server.config.dataDir);
      return [...goodbyesFrom(reader, 0, 1_000)].map(
        ({ agent }) => `${agent.spiffeId} ${agent.agent}`,
      );
    };
    const forced = await ask("agent-forced", {});
    const ended = await ask("agent-ended", {});
    const { namespace, name } = ended.pod;
    const now = await core.readNamespacedPodStatus({ namespace, name });
    const body = Object.assign(now, {
      status: Object.assign({}, now.status, { phase: "Succeeded" }),
    });
    await core.replaceNamespacedPodStatus({ namespace, name, body });
    await cluster.deletePod(forced.pod);
    await cluster.deletePod(ended.pod);
    await eventually(() => goodbyes().length > 0);
    assert.deepEqual(goodbyes(), [`${ended.id} agent-ended`]);
  });
});
