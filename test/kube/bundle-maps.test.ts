/** The ConfigMaps with the roots against the real API server: made, mended, brought up to date, left where nothing can be written. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CoreV1Api, type V1PolicyRule } from "@kubernetes/client-node";
import type { KubeAccess } from "../../src/edge/kube/kube-access.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { BundleMapsUnderTest, mapName, until } from "../support/bundle-maps.ts";
import { mayRead, OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const key = "root-cert.pem";

/** The least: what is watched by name can be given by name. */
const leastRights: V1PolicyRule[] = [
  mayRead("namespaces"),
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: [mapName],
    verbs: ["get", "list", "watch", "patch"],
  },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
];

describe("the ConfigMaps with the roots", { skip: skipKube }, () => {
  let cluster: Cluster;
  let access: KubeAccess;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  it("stand in every namespace that can have one, those that come later too, by the least of rights", async () => {
    const old = await cluster.namespace("old");
    await using ours = await OurAccount.make(cluster, leastRights);
    await using maps = new BundleMapsUnderTest(cluster, ours.access, ["a"]);
    await maps.untilCurrent(old);
    const { metadata, data } = (await maps.read(old)) ?? {};
    assert.deepEqual(metadata?.labels, { "istio.io/config": "true" });
    assert.deepEqual(data, { [key]: maps.pem });
    assert.equal(metadata?.managedFields?.[0]?.manager, "portcullis");
    await maps.untilCurrent("kube-system");
    const later = await cluster.namespace("later");
    await maps.untilCurrent(later);
    await until(() => maps.state.current === maps.state.total);
    for (const each of ["kube-public", "kube-node-lease"]) {
      assert.equal(await maps.read(each), undefined, each);
    }
    assert.deepEqual([maps.state.behind, maps.state.failing, maps.state.contested], [[], [], 0]);
    assert.deepEqual(maps.events, []);
  });

  it("say all roots, and after a change those of then", async () => {
    const namespace = await cluster.namespace("changed");
    await using maps = new BundleMapsUnderTest(cluster, access, ["a"]);
    assert.equal(maps.rootMaps().kind, "unlisted");
    await maps.untilCurrent(namespace);
    maps.trust("a", "b");
    assert.equal(maps.state.current, 0);
    const changed = maps.rootMaps();
    assert.ok(changed.kind === "listed" && changed.current === 0);
    assert.ok(maps.state.behind.length > 0);
    await maps.untilCurrent(namespace);
    assert.equal(maps.pem.match(/BEGIN CERTIFICATE/g)?.length, 2);
    await until(() => maps.state.current === maps.state.total);
    const gauge = await maps.registry.getSingleMetricAsString("portcullis_bundle_maps");
    assert.match(gauge, new RegExp(`state="current"} ${maps.state.total}\n`));
  });

  it("are mended where they are edited or deleted, and what somebody else keeps in them stays", async () => {
    const namespace = await cluster.namespace("edited");
    const metadata = { name: mapName, labels: { theirs: "1" }, annotations: { note: "1" } };
    const data = { [key]: "old", "other.pem": "theirs" };
    await core.createNamespacedConfigMap({ namespace, body: { metadata, data } });
    await using maps = new BundleMapsUnderTest(cluster, access, ["a"]);
    await maps.untilCurrent(namespace);
    const mended = await maps.read(namespace);
    assert.equal(mended?.data?.["other.pem"], "theirs");
    assert.deepEqual(mended?.metadata?.labels, { theirs: "1", "istio.io/config": "true" });
    assert.deepEqual(mended?.metadata?.annotations, { note: "1" });
    await core.replaceNamespacedConfigMap({ namespace, name: mapName, body: { metadata } });
    await maps.untilCurrent(namespace);
    await core.deleteNamespacedConfigMap({ namespace, name: mapName });
    await maps.untilCurrent(namespace);
  });

  it("are right in the end when many write the same at once", async () => {
    const namespace = await cluster.namespace("storm");
    await using maps = new BundleMapsUnderTest(cluster, access, ["a"]);
    await maps.untilCurrent(namespace);
    const annotate = async (at: number): Promise<void> => {
      const body = (await maps.read(namespace)) ?? {};
      const annotations = { ...body.metadata?.annotations, at: `${at}` };
      const metadata = Object.assign({}, body.metadata, { annotations });
      const edited = Object.assign({}, body, { metadata });
      await core
        .replaceNamespacedConfigMap({ namespace, name: mapName, body: edited })
        .catch(() => {});
    };
    for (let change = 0; change < 5; change++) {
      maps.trust(`root-${change}`);
      await Promise.all(Array.from({ length: 16 }, async (_, at) => annotate(at)));
    }
    await maps.untilCurrent(namespace);
    assert.equal(maps.state.contested, 0);
  });

  it("are left, and that is said once, in a namespace that ends and where RBAC says no", async () => {
    const [ends, narrow] = [await cluster.namespace("ends"), await cluster.namespace("narrow")];
    await core.createNamespacedConfigMap({
      namespace: narrow,
      body: { metadata: { name: mapName }, data: { [key]: "x" }, immutable: true },
    });
    await core.deleteNamespace({ name: ends });
    await using maps = new BundleMapsUnderTest(cluster, access, ["a"]);
    await until(() => maps.state.total > 0 && maps.state.current === maps.state.total - 1);
    await until(() => maps.state.failing.length === 1);
    const [failing] = maps.state.failing;
    assert.equal(failing?.namespace, narrow);
    assert.match(failing?.reason ?? "", /immutable/);
    assert.equal(await maps.read(ends), undefined);
    const said = maps.events.map(({ event, namespace }) => [event, namespace]);
    assert.deepEqual(said, [["bundle-map-refused", narrow]]);
    await core.deleteNamespacedConfigMap({ namespace: narrow, name: mapName });
    await maps.untilCurrent(narrow);
    await until(() => maps.state.failing.length === 0);
  });

  it("are not written without the rights, are said to be missing, and are written once they are given", async () => {
    const namespace = await cluster.namespace("rights");
    await using ours = await OurAccount.make(cluster, [mayRead("namespaces")]);
    await using maps = new BundleMapsUnderTest(cluster, ours.access, ["c"]);
    await until(() => maps.events.some(({ event }) => event === "bundle-maps-unseen"));
    assert.match(String(maps.events[0]?.["hint"]), /configmaps.*list/);
    const rootMaps = maps.rootMaps();
    assert.ok(rootMaps.kind === "unlisted");
    assert.match(rootMaps.failure, /403 configmaps .*is forbidden/);
    await ours.revoke();
    await ours.grant(leastRights);
    await maps.untilCurrent(namespace);
  });

  it("are mended seldom after five times where somebody else writes them, too, and he is named", async () => {
    const namespace = await cluster.namespace("contested");
    await using maps = new BundleMapsUnderTest(cluster, access, ["d"]);
    await maps.untilCurrent(namespace);
    let writes = 0;
    const rival = async (): Promise<void> => {
      while (maps.state.contested === 0 && writes < 50) {
        await maps.untilCurrent(namespace);
        const body = { metadata: { name: mapName }, data: { [key]: "theirs" } };
        const request = { namespace, name: mapName, body, fieldManager: "pilot-discovery" };
        await core.replaceNamespacedConfigMap(request);
        writes++;
      }
    };
    await rival();
    assert.ok(writes <= 8, `${writes}`);
    assert.equal(maps.state.contestedBy, "pilot-discovery");
    const { manager } = maps.events.find(({ event }) => event === "bundle-map-contested") ?? {};
    assert.equal(manager, "pilot-discovery");
    // What we trust anew is not held back by that.
    maps.trust("e");
    await maps.untilCurrent(namespace);
    // For a rotation it is behind all the same: a moment later it may be theirs again.
    await until(() => maps.state.current === maps.state.total);
    const rootMaps = maps.rootMaps();
    assert.ok(rootMaps.kind === "listed");
    assert.deepEqual(rootMaps.behind, [namespace]);
    const why = "pilot-discovery writes it, too, again and again";
    assert.equal(rootMaps.whyOf(namespace), why);
  });

  it("are brought up to date although the API server goes and comes again in between", async () => {
    const names = await Promise.all(Array.from({ length: 60 }, () => cluster.namespace("restart")));
    const slowly = { ratePerSecond: 40, burst: 1 };
    await using maps = new BundleMapsUnderTest(cluster, access, ["f"], slowly);
    await until(() => maps.state.total > 60 && maps.state.current === maps.state.total);
    maps.trust("f", "g");
    await until(() => maps.state.current > 5);
    await cluster.kill();
    assert.ok(maps.state.current < maps.state.total);
    await cluster.restart();
    await until(() => maps.state.current === maps.state.total);
    for (const name of names) await maps.untilCurrent(name);
    assert.deepEqual([maps.state.failing, maps.state.contested], [[], 0]);
  });
});
