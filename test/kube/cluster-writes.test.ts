/** What a whole server writes into its cluster: the roots in each namespace, what is known of policies, and refusals at their pods. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CoreV1Api, CustomObjectsApi, EventsV1Api } from "@kubernetes/client-node";
import type { JsonObject } from "../../src/core/identity/json-object.ts";
import { until } from "../support/bundle-maps.ts";
import { runWith } from "../server/root-rig.ts";
import { ClusterCallers } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const root = join(import.meta.dirname, "../..");
const group = { group: "security.istio.io", version: "v1", plural: "peerauthentications" };

describe("a server in a cluster", { skip: skipKube }, () => {
  let cluster: Cluster;
  let callers: ClusterCallers;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    callers = await ClusterCallers.start(cluster);
  });

  after(async () => {
    await callers[Symbol.asyncDispose]();
    await cluster.stop();
  });

  it("keeps its root in the ConfigMap of each namespace", async () => {
    const core = cluster.kubeConfig().makeApiClient(CoreV1Api);
    const namespace = await cluster.namespace("roots");
    const name = "istio-ca-root-cert";
    await until(async () => {
      const { items } = await core.listNamespacedConfigMap({ namespace });
      const found = items.find(({ metadata }) => metadata?.name === name);
      return found?.data?.["root-cert.pem"] === callers.server.rootPem;
    });
  });

  it("says in its own status how far they have got", async () => {
    const { dataDir } = callers.server.config;
    await until(async () => {
      const { stdout } = await runWith(["status", "-o", "json", "--data-dir", dataDir]);
      const { bundleMaps, trustSecret, guard } = JSON.parse(stdout).kube;
      assert.deepEqual([trustSecret, guard], [null, null]);
      const { name, total, current } = bundleMaps;
      return name === "istio-ca-root-cert" && total > 1 && current === total;
    });
  });

  it("says in the status of a PeerAuthentication what is known of it", async () => {
    const objects = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
    const namespace = await cluster.namespace("status");
    const metadata = { name: "default" };
    const spec = { mtls: { mode: "PERMISSIVE" } };
    const kind = "PeerAuthentication";
    const body = { apiVersion: "security.istio.io/v1", kind, metadata, spec };
    await objects.createNamespacedCustomObject({ ...group, namespace, body });
    let conditions: readonly JsonObject[] = [];
    await until(async () => {
      const of = { ...group, namespace, name: "default" };
      const { status } = await objects.getNamespacedCustomObject(of);
      conditions = status?.conditions ?? [];
      return conditions.length > 0;
    });
    assert.deepEqual(
      conditions.map(({ type, status, reason }) => [type, status, reason].join(" ")),
      ["portcullis.io/Accepted True Accepted", "portcullis.io/InForce Unknown NoProxies"],
    );
  });

  it("tells at the pod why its request was refused", async () => {
    const events = cluster.kubeConfig().makeApiClient(EventsV1Api);
    const { token, pod } = await callers.workload();
    assert.equal(await callers.ask(token), "issued");
    await cluster.deletePod(pod);
    await until(async () => (await callers.ask(token)) === "token-revoked");
    const { namespace } = pod;
    const itemsOf = async () => (await events.listNamespacedEvent({ namespace })).items;
    await until(async () => (await itemsOf()).length > 0);
    const [event] = await itemsOf();
    assert.deepEqual(
      [event?.regarding?.kind, event?.regarding?.uid, event?.reason],
      ["Pod", pod.uid, "TokenRevoked"],
    );
  });
});
