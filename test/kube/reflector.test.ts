/** A watch of a real API server, and all that can go wrong with it: what was known stays, and what is gone is gone by an event or a list. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiextensionsV1Api, CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { currentUntilMs } from "../../src/core/kube/who/effective-mode.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { LivenessProbe } from "../../src/edge/kube/liveness-probe.ts";
import { namespaces, pods, serviceAccounts } from "../../src/edge/kube/read/read-identities.ts";
import { policyKinds } from "../../src/edge/kube/read/read-policy-objects.ts";
import { endpointSlices, services } from "../../src/edge/kube/read/read-services.ts";
import { mayRead, OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { watched } from "../support/watched.ts";

const root = join(import.meta.dirname, "../..");

describe("a watch", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  it("lists in pages, and follows what comes, changes and goes", async () => {
    const namespace = await cluster.namespace("paged");
    const names = Array.from({ length: 23 }, (_, at) => `account-${at}`);
    for (const name of names) await cluster.serviceAccount(namespace, name);
    await using accounts = watched(connection, serviceAccounts, { limit: 5 });
    await accounts.when("listed");
    const known = Array.from(accounts.cache.values()).filter(
      (each) => each.namespace === namespace,
    );
    assert.deepEqual(known.map(({ name }) => name).toSorted(), names.toSorted());
    assert.deepEqual(accounts.batches.length, 1);

    const made = await cluster.serviceAccount(namespace, "later");
    await accounts.until(() => accounts.cache.find(namespace, "later")?.uid === made.uid);
    await cluster.deleteServiceAccount(made);
    await accounts.until(() => accounts.cache.wasRemoved(made.uid));
    const again = await cluster.serviceAccount(namespace, "later");
    await accounts.until(() => accounts.cache.find(namespace, "later")?.uid === again.uid);
    assert.notEqual(again.uid, made.uid);
  });

  it("knows of a pod what is used of it", async () => {
    const account = await cluster.serviceAccount(await cluster.namespace("pod"), "cart");
    const node = await cluster.node("node");
    await using known = watched(connection, pods);
    const labels = { app: "cart", "security.istio.io/tlsMode": "istio" };
    const made = await cluster.pod(account, { node: node.name, labels, ip: "10.1.2.3" });
    const found = (): ReturnType<typeof known.cache.find> =>
      known.cache.find(made.namespace, made.name);
    await known.until(() => found()?.podIPs.length === 1);
    const { createdMs, ...pod } = found() ?? {};
    assert.ok(Math.abs((createdMs ?? 0) - Date.now()) < 60_000);
    assert.deepEqual(pod, {
      namespace: made.namespace,
      name: made.name,
      uid: made.uid,
      deletionMs: undefined,
      serviceAccount: "cart",
      nodeName: node.name,
      phase: "Running",
      podIPs: ["10.1.2.3"],
      labels: new Map(Object.entries(labels)),
      hostNetwork: false,
      isReady: true,
    });
    // Without a kubelet it stays, with its time.
    await core.deleteNamespacedPod({ namespace: made.namespace, name: made.name });
    await known.until(() => found()?.deletionMs !== undefined);
    await cluster.deletePod(made);
    await known.until(() => known.cache.wasRemoved(made.uid));
  });

  it("knows of a namespace whether anything new can be written into it", async () => {
    await using known = watched(connection, namespaces);
    const name = await cluster.namespace("ends");
    const found = (): ReturnType<typeof known.cache.find> => known.cache.find("", name);
    await known.until(() => found() !== undefined);
    assert.deepEqual(
      [found()?.isTerminating, found()?.labels.get("kubernetes.io/metadata.name")],
      [false, name],
    );
    await core.deleteNamespace({ name });
    await known.until(() => found()?.isTerminating === true);
  });

  it("knows of a Service and its slices what is used of them", async () => {
    const namespace = await cluster.namespace("service");
    await using known = watched(connection, services);
    await using slices = watched(connection, endpointSlices);
    const ports = [
      { name: "http-web", port: 80, targetPort: "web" },
      { name: "dns", port: 53, protocol: "UDP" },
    ];
    const metadata = { name: "cart", annotations: { "networking.istio.io/exportTo": "., other" } };
    const spec = { selector: { app: "cart" }, ports };
    await core.createNamespacedService({ namespace, body: { metadata, spec } });
    await known.until(() => known.cache.find(namespace, "cart") !== undefined);
    const {
      uid,
      createdMs,
      clusterIPs = [],
      ...service
    } = known.cache.find(namespace, "cart") ?? {};
    assert.equal(clusterIPs.length, 1);
    assert.ok(uid !== "" && createdMs !== undefined);
    assert.deepEqual(service, {
      namespace,
      name: "cart",
      ports: [{ number: 80, name: "http-web", protocol: "HTTP", targetPort: undefined }],
      selector: new Map([["app", "cart"]]),
      externalName: undefined,
      exportTo: [".", "other"],
      publishesNotReady: false,
    });
    await createSlice(cluster, namespace);
    await slices.until(() => slices.cache.find(namespace, "cart-1") !== undefined);
    const { uid: _, ...slice } = slices.cache.find(namespace, "cart-1") ?? {};
    assert.deepEqual(slice, {
      namespace,
      name: "cart-1",
      serviceName: "cart",
      endpoints: [
        { addresses: ["10.1.2.3"], podName: "cart-x", isReady: true },
        { addresses: ["10.1.2.4"], podName: undefined, isReady: false },
      ],
      ports: new Map([["http-web", 8080]]),
    });
  });

  it("goes on after a restart of the API server without anybody gone and back, by a new list (410)", async () => {
    const namespace = await cluster.namespace("restart");
    const kept = await cluster.serviceAccount(namespace, "kept");
    const lost = await cluster.serviceAccount(namespace, "lost");
    await using accounts = watched(connection, serviceAccounts, { awayMs: 600_000 });
    await accounts.when("watching");
    const before = accounts.batches.length;
    await cluster.restart();
    await cluster.deleteServiceAccount(lost);
    const made = await cluster.serviceAccount(namespace, "made");
    await accounts.until(() => accounts.cache.find(namespace, "made")?.uid === made.uid);
    const failures = accounts.events.flatMap((event) => (event.kind === "failed" ? [event] : []));
    const told = failures.map(({ error, retryMs }) => `${error.code} ${retryMs}`);
    assert.ok(told.includes("kube-gone 0"), told.join(", "));
    assert.equal(accounts.cache.find(namespace, "kept")?.uid, kept.uid);
    assert.ok(accounts.cache.wasRemoved(lost.uid));
    const changes = accounts.batches.slice(before).flat();
    const names = changes.map(({ before, after }) => `${before?.name ?? ""}>${after?.name ?? ""}`);
    assert.deepEqual(names.toSorted(), [">made", "lost>"]);
  });

  it("keeps all that it knows while the API server is away, and says why and since when", async () => {
    await using accounts = watched(connection, serviceAccounts);
    await accounts.when("watching");
    const { size } = accounts.cache;
    const before = accounts.batches.length;
    await cluster.kill();
    await accounts.when("failed", 2);
    const { failure, openedMs, heardMs = 0 } = accounts.state;
    assert.equal(failure?.code, "kube-unreachable");
    assert.equal(openedMs, undefined);
    assert.equal(currentUntilMs(accounts.state, performance.now()), heardMs);
    assert.deepEqual([accounts.cache.size, accounts.batches.length], [size, before]);
    await cluster.restart();
    await accounts.when("watching", 2);
    assert.equal(accounts.state.failure, undefined);
  });

  it("is current while it is silent and the API server lives, and no longer when that is frozen", async () => {
    const nowMs = (): number => performance.now();
    await using accounts = watched(connection, serviceAccounts);
    await accounts.when("watching");
    await using probe = new LivenessProbe({ connection, nowMs, intervalMs: 100, deadlineMs: 300 });
    const untilMs = (): number => currentUntilMs(accounts.state, probe.aliveMs) ?? 0;
    const openedMs = accounts.state.openedMs ?? 0;
    await accounts.until(() => untilMs() > openedMs + 1_500);
    cluster.freeze();
    try {
      const frozenMs = nowMs();
      await accounts.until(() => probe.problem !== undefined);
      assert.ok(nowMs() - frozenMs < 3_000);
      assert.ok(untilMs() <= frozenMs + 50, `${untilMs() - frozenMs}`);
      assert.notEqual(accounts.state.openedMs, undefined, "nobody has told the stream");
    } finally {
      cluster.thaw();
    }
    const thawedMs = nowMs();
    await accounts.until(() => untilMs() > thawedMs);
    assert.equal(accounts.events.filter(({ kind }) => kind === "failed").length, 0);
  });

  it("leaves a connection that is silent for long, for there may be another API server, and goes on after the thaw", async () => {
    const nowMs = (): number => performance.now();
    await using accounts = watched(connection, serviceAccounts);
    await accounts.when("watching");
    const before = accounts.batches.length;
    await using probe = new LivenessProbe({ connection, nowMs, intervalMs: 50, deadlineMs: 100 });
    await accounts.until(() => probe.aliveMs !== undefined);
    cluster.freeze();
    try {
      await accounts.when("failed");
      assert.equal(accounts.state.failure?.code, "kube-unreachable");
    } finally {
      cluster.thaw();
    }
    await accounts.when("watching", 2);
    const made = await cluster.serviceAccount(await cluster.namespace("thaw"), "made");
    await accounts.until(() => accounts.cache.find(made.namespace, "made") !== undefined);
    assert.equal(accounts.batches.length, before + 1);
  });

  it("keeps all that it knows when RBAC is taken away, says which line is missing, and goes on with it", async () => {
    await using ours = await OurAccount.make(cluster, [mayRead("serviceaccounts")]);
    using theirs = new KubeConnection({ access: ours.access });
    await using accounts = watched(theirs, serviceAccounts, { watchSeconds: 1 });
    await accounts.when("watching");
    const { size } = accounts.cache;
    await ours.revoke();
    await accounts.when("failed", 2);
    const { failure } = accounts.state;
    assert.equal(failure?.code, "kube-forbidden");
    assert.match(
      failure.hint ?? "",
      /resources: \["serviceaccounts"\], verbs: \["(?:watch|list)"\]/,
    );
    assert.ok(accounts.cache.size === size && size > 0);
    await ours.grant([mayRead("serviceaccounts")]);
    const made = await cluster.serviceAccount(ours.account.namespace, "late");
    await accounts.until(() => accounts.cache.find(made.namespace, "late") !== undefined);
    assert.equal(accounts.state.failure, undefined);
  });

  it("ends when it was asked to, and goes on at once and from there", async () => {
    await using accounts = watched(connection, serviceAccounts, { watchSeconds: 1 });
    await accounts.when("watching", 4);
    assert.deepEqual(
      accounts.events.map(({ kind }) => kind),
      ["listed", "watching", "watching", "watching", "watching"],
    );
  });

  it("of a resource that is not there says so without an error, and finds it when it comes", async () => {
    const [kind] = policyKinds;
    assert.ok(kind !== undefined);
    await using peers = watched(connection, kind, { absentMs: 200, watchSeconds: 1 });
    await peers.when("failed", 2);
    assert.deepEqual([peers.state.isAbsent, peers.state.failure], [true, undefined]);
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    await peers.when("watching");
    assert.deepEqual([peers.state.isAbsent, peers.cache.size], [false, 0]);
    const api = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
    const peer = { group: "security.istio.io", version: "v1", plural: "peerauthentications" };
    const namespace = await cluster.namespace("peer");
    const create = async (name: string, spec: object): Promise<void> => {
      const metadata = { name };
      const body = {
        apiVersion: "security.istio.io/v1",
        kind: "PeerAuthentication",
        metadata,
        spec,
      };
      await api.createNamespacedCustomObject({ ...peer, namespace, body });
    };
    await create("good", { mtls: { mode: "STRICT" } });
    await create("other", { mtls: { mode: "STRICT" }, unknownHere: true });
    await peers.until(() => peers.cache.size === 2);
    const good = peers.cache.find(namespace, "good");
    const { object } = good?.loaded ?? {};
    assert.deepEqual(object?.kind === "PeerAuthentication" && object.object.mode, "STRICT");
    assert.deepEqual(good?.problems, []);
    const other = peers.cache.find(namespace, "other");
    assert.equal(other?.loaded, undefined);
    assert.match(other?.problems[0]?.text ?? "", /unknownHere/);

    const crds = cluster.kubeConfig().makeApiClient(ApiextensionsV1Api);
    await crds.deleteCustomResourceDefinition({ name: "peerauthentications.security.istio.io" });
    await peers.until(() => peers.state.isAbsent);
    assert.equal(peers.state.failure?.code, "kube-not-found");
    assert.ok(peers.cache.size === 0 || peers.batches.length === 1, "by events, or not at all");
  });
});

async function createSlice(cluster: Cluster, namespace: string): Promise<void> {
  const api = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
  const ready = { addresses: ["10.1.2.3"], targetRef: { kind: "Pod", name: "cart-x" } };
  const other = { addresses: ["10.1.2.4"], conditions: { ready: false } };
  await api.createNamespacedCustomObject({
    group: "discovery.k8s.io",
    version: "v1",
    plural: "endpointslices",
    namespace,
    body: {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "cart-1", labels: { "kubernetes.io/service-name": "cart" } },
      addressType: "IPv4",
      endpoints: [ready, other],
      ports: [
        { name: "http-web", port: 8080, protocol: "TCP" },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
    },
  });
}
