/** A cluster's objects as the configuration of a server, by the watch of a real API server: what is applied, and all that can go wrong. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ApiextensionsV1Api, CoreV1Api, CustomObjectsApi } from "@kubernetes/client-node";
import { pino } from "pino";
import { beginWatches, type KubeWatches } from "../../src/app/server/kube/kube-watches.ts";
import {
  openKubeConfiguration,
  type KubeConfiguration,
} from "../../src/app/server/kube/configuration/kube-configuration.ts";
import type { LogEvent } from "../../src/app/server/log/log-keeper.ts";
import { Resources } from "../../src/app/server/policy/resources/resources.ts";
import { PolicyIndex } from "../../src/core/policy/policy-index.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { parseManifest } from "../../src/edge/resources/parse-manifests.ts";
import { Store } from "../../src/edge/store/store.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { mayRead, OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import {
  destinationRules,
  peerAuthentications as peers,
  serviceEntries,
  sidecars,
  workloadEntries,
  type Kind,
} from "./istio-objects.ts";
import { skipKube } from "./skip-kube.ts";

const root = join(import.meta.dirname, "../..");
/** Each with fields alone that we read, too. */
const specs: readonly (readonly [Kind, object])[] = [
  [peers, { mtls: { mode: "STRICT" } }],
  [destinationRules, { host: "a" }],
  [serviceEntries, { hosts: ["a.example"], resolution: "DNS" }],
  [workloadEntries, { address: "10.0.0.1", serviceAccount: "a" }],
  [sidecars, { egress: [{ hosts: ["./*"] }] }],
];

/** Of a server that is there until it is disposed. */
class Followed implements AsyncDisposable {
  readonly resources: Resources;
  readonly events: LogEvent[] = [];
  /** Until it resolves nothing more is in the log. */
  logged: Promise<void> = Promise.resolve();
  readonly caches: KubeWatches["caches"];
  configuration: KubeConfiguration | undefined;
  readonly #owned = new AsyncDisposableStack();

  private constructor(connection: KubeConnection, stored: Store["resources"]) {
    this.resources = new Resources({
      stored,
      record: async (event) => {
        this.events.push(event);
        await this.logged;
      },
      nowMs: Date.now,
    });
    const nowMs = (): number => performance.now();
    const watches = { connection, nowMs, onEvent: () => {} };
    this.caches = beginWatches(watches, this.#owned).caches;
  }

  static async open(connection: KubeConnection, stored: Store["resources"]): Promise<Followed> {
    const followed = new Followed(connection, stored);
    const { resources, caches } = followed;
    const ending = new AbortController();
    const options = {
      resources,
      clusterDomain: "cluster.local",
      log: pino({ level: "silent" }),
      nowMs: () => performance.now(),
      signal: ending.signal,
    };
    followed.configuration = await openKubeConfiguration(
      { caches, connection },
      options,
      followed.#owned,
    );
    return followed;
  }

  jsonOf(key: string): string {
    return this.resources.set.find(key)?.json ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

describe("a cluster's configuration", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let objects: CustomObjectsApi;
  let core: CoreV1Api;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    connection = await cluster.connection();
    objects = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
    core = cluster.kubeConfig().makeApiClient(CoreV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  async function withStore(work: (stored: Store["resources"]) => Promise<void>): Promise<void> {
    using directory = temporaryDirectory();
    using store = await Store.open(directory.path, "server");
    await work(store.resources);
  }

  const pathOf = ({ group, plural }: Kind, namespace: string) => ({
    group,
    version: "v1",
    plural,
    namespace,
  });

  async function create(of: Kind, namespace: string, name: string, spec: unknown): Promise<void> {
    const body = { apiVersion: `${of.group}/v1`, kind: of.kind, metadata: { name }, spec };
    await objects.createNamespacedCustomObject({ ...pathOf(of, namespace), body });
  }

  async function setMode(namespace: string, name: string, mode: string): Promise<void> {
    const at = { ...pathOf(peers, namespace), name };
    const now: object = await objects.getNamespacedCustomObject(at);
    const body = { ...now, spec: { mtls: { mode } } };
    await objects.replaceNamespacedCustomObject({ ...at, body });
  }

  it("is what is applied, changed and deleted there, of each kind, with its age, in the log and in the store", async () => {
    await withStore(async (stored) => {
      await using followed = await Followed.open(connection, stored);
      const namespace = await cluster.namespace("kinds");
      for (const [kind, spec] of specs) await create(kind, namespace, "one", spec);
      const key = (kind: string): string => `${kind}/${namespace}/one`;
      await eventually(() => specs.every(([{ kind }]) => followed.jsonOf(key(kind)) !== ""));
      const found = followed.resources.set.find(key("PeerAuthentication"));
      assert.equal(found?.origin, "cluster");
      assert.ok(Math.abs((found.object.object.createdMs ?? 0) - Date.now()) < 60_000);
      await setMode(namespace, "one", "DISABLE");
      await eventually(() => followed.jsonOf(key("PeerAuthentication")).includes("DISABLE"));
      await objects.deleteNamespacedCustomObject({
        ...pathOf(destinationRules, namespace),
        name: "one",
      });
      await create(destinationRules, namespace, "two", { host: "b" });
      await eventually(() => followed.jsonOf(key("DestinationRule")) === "");
      const { layers } = stored.load();
      assert.equal(layers.cluster.filter(({ json }) => json.includes(namespace)).length, 5);
      const [event] = followed.events;
      assert.deepEqual(
        [event?.type, event?.subject, event?.operator],
        ["resources-changed", "cluster", ""],
      );
    });
  });

  it("takes many changes as few, and stays with the last good of what it cannot read", async () => {
    await withStore(async (stored) => {
      await using followed = await Followed.open(connection, stored);
      const namespace = await cluster.namespace("many");
      const names = Array.from({ length: 60 }, (_, at) => `p-${at}`);
      const begin = followed.events.length;
      const startedMs = performance.now();
      await Promise.all(
        names.map((name) => create(peers, namespace, name, { mtls: { mode: "STRICT" } })),
      );
      await eventually(() =>
        names.every((name) => followed.jsonOf(`PeerAuthentication/${namespace}/${name}`) !== ""),
      );
      const seconds = (performance.now() - startedMs) / 1_000;
      assert.ok(followed.events.length - begin <= 2 + 2 * seconds);
      const at = { ...pathOf(peers, namespace), name: "p-0" };
      const now: object = await objects.getNamespacedCustomObject(at);
      const spec = { mtls: { mode: "DISABLE" }, laterField: true };
      await objects.replaceNamespacedCustomObject({ ...at, body: { ...now, spec } });
      await eventually(() => followed.resources.set.problems.length > 0);
      const [problem] = followed.resources.set.problems;
      assert.deepEqual(problem?.ref, { kind: "PeerAuthentication", namespace, name: "p-0" });
      assert.equal(problem?.origin, "cluster");
      assert.match(followed.jsonOf(`PeerAuthentication/${namespace}/p-0`), /STRICT/);
    });
  });

  it("stays while the API server is away, and follows it when it is there again", async () => {
    await withStore(async (stored) => {
      const namespace = await cluster.namespace("away");
      await create(peers, namespace, "kept", { mtls: { mode: "STRICT" } });
      await using followed = await Followed.open(connection, stored);
      const key = `PeerAuthentication/${namespace}/kept`;
      await eventually(() => followed.jsonOf(key).includes("STRICT"));
      const { sequence } = followed.resources.set;
      await cluster.kill();
      const [watch] = followed.caches.policies;
      await eventually(() => watch?.state().failure !== undefined);
      assert.equal(followed.resources.set.sequence, sequence);
      await cluster.restart();
      await setMode(namespace, "kept", "PERMISSIVE");
      await eventually(() => followed.jsonOf(key).includes("PERMISSIVE"));
    });
  });

  it("stays where RBAC is taken away, and over a start at which nothing may be read", async () => {
    await withStore(async (stored) => {
      const namespace = await cluster.namespace("rbac");
      await create(peers, namespace, "kept", { mtls: { mode: "STRICT" } });
      const key = `PeerAuthentication/${namespace}/kept`;
      const rest = [
        mayRead("pods"),
        mayRead("services"),
        mayRead("endpointslices", "discovery.k8s.io"),
      ];
      const all = [...rest, mayRead("peerauthentications", "security.istio.io")];
      await using ours = await OurAccount.make(cluster, all);
      using theirs = new KubeConnection({ access: ours.access });
      {
        await using followed = await Followed.open(theirs, stored);
        await eventually(() => followed.jsonOf(key) !== "");
        await ours.revoke();
        await ours.grant(rest);
      }
      await using again = await Followed.open(theirs, stored);
      await eventually(() => again.caches.policies[0]?.state().failure?.code === "kube-forbidden");
      assert.match(again.jsonOf(key), /STRICT/);
      assert.deepEqual(again.events, []);
    });
  });

  it("has its pods and services for policy, ready ones alone, and they are in no log", async () => {
    await withStore(async (stored) => {
      await using followed = await Followed.open(connection, stored);
      const { set } = followed.resources;
      const index = new PolicyIndex("cluster.local");
      set.onChange(({ set: put, deleted }) => {
        for (const ref of deleted) index.delete(ref);
        for (const each of put) index.set(each);
      });
      const namespace = await cluster.namespace("pods");
      const account = await cluster.serviceAccount(namespace, "api");
      const labels = { app: "api", "security.istio.io/tlsMode": "istio" };
      const spec = {
        selector: { app: "api" },
        ports: [{ name: "http", port: 80, targetPort: 8080 }],
      };
      await core.createNamespacedService({ namespace, body: { metadata: { name: "api" }, spec } });
      const port = { number: 9080, protocol: "HTTP", name: "http" };
      const egress = [{ port, bind: "127.0.0.1", captureMode: "NONE", hosts: ["./*"] }];
      await create(sidecars, namespace, "web", { egress });
      const node = await cluster.node("node");
      const pod = await cluster.pod(account, {
        node: node.name,
        name: "api-0",
        labels,
        ip: "10.7.0.1",
      });
      index.addProxy({
        key: "web",
        namespace,
        serviceAccount: "web",
        nodeId: "web-0",
        claimedLabels: new Map(),
      });
      const endpoints = (): readonly string[] =>
        index
          .desired("web")
          ?.clusters.flatMap((each) =>
            each.endpoints.map(({ address, port, sends }) => `${address}:${port} ${sends}`),
          ) ?? [];
      await eventually(() => set.find(`WorkloadEntry/${namespace}/api-0`) !== undefined);
      assert.deepEqual(endpoints(), []);
      const ready = await core.readNamespacedPodStatus({ namespace, name: "api-0" });
      const conditions = [{ type: "Ready", status: "True" }];
      const body = Object.assign(ready, {
        status: Object.assign({}, ready.status, { conditions }),
      });
      await core.replaceNamespacedPodStatus({ namespace, name: "api-0", body });
      await eventually(() => endpoints().length > 0);
      assert.deepEqual(endpoints(), ["10.7.0.1:8080 mtls"]);
      await cluster.deletePod(pod);
      await eventually(() => endpoints().length === 0);
      const names = followed.events.map(({ detail }) => detail).join();
      assert.ok(!names.includes(`${namespace}/api-0`));
      assert.equal(
        stored.load().layers.cluster.filter(({ json }) => json.includes("api-0")).length,
        0,
      );
    });
  });

  it("stays where a kind is taken away with all its objects, also over a start, and that is said", async () => {
    await withStore(async (stored) => {
      const namespace = await cluster.namespace("crd");
      await create(peers, namespace, "kept", { mtls: { mode: "STRICT" } });
      const key = `PeerAuthentication/${namespace}/kept`;
      const isSaid = ({ resources: { set } }: Followed): boolean =>
        set.problems.some(({ code }) => code === "cluster-kind-absent");
      {
        await using followed = await Followed.open(connection, stored);
        await eventually(() => followed.jsonOf(key) !== "");
        await takeAway();
        await eventually(() => isSaid(followed), 30_000);
        assert.match(followed.jsonOf(key), /STRICT/);
      }
      await using again = await Followed.open(connection, stored);
      await eventually(() => isSaid(again));
      assert.match(again.jsonOf(key), /STRICT/);
    });
  });

  it("stays where a kind is taken away while the log is slow, but for what had been deleted before", async ({
    mock,
  }) => {
    await takenAway();
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    await withStore(async (stored) => {
      const namespace = await cluster.namespace("slow-log");
      const names = ["a", "b", "c", "deleted"];
      for (const name of names) await create(peers, namespace, name, { mtls: { mode: "STRICT" } });
      await using followed = await Followed.open(connection, stored);
      const has = (): readonly string[] =>
        names.filter((name) => followed.jsonOf(`PeerAuthentication/${namespace}/${name}`) !== "");
      const left = (): number => followed.caches.policies[0]?.cache.size ?? 0;
      await eventually(() => has().length === names.length);
      const written = Promise.withResolvers<void>();
      using held = new DisposableStack();
      held.defer(written.resolve);
      followed.logged = written.promise;
      const other = {
        apiVersion: "security.istio.io/v1",
        kind: peers.kind,
        metadata: { name: "o" },
      };
      const before = followed.resources.takeDirectory(parseManifest(JSON.stringify(other), "o"));
      const sent = mock.method(connection, "send").mock;
      const asked = (): readonly unknown[] =>
        sent.calls
          .filter(({ arguments: [{ path }] }) => path.includes("/customresourcedefinitions/"))
          .map(({ result }) => result);
      await objects.deleteNamespacedCustomObject({ ...pathOf(peers, namespace), name: "deleted" });
      await eventually(() => asked().length > 0);
      await Promise.all(asked());
      await takeAway();
      await eventually(() => left() === 0, 30_000);
      assert.equal(has().length, names.length);
      written.resolve();
      await before;
      await eventually(() => has().length < names.length);
      assert.deepEqual(has(), ["a", "b", "c"]);
      const isSaid = (): boolean =>
        followed.resources.set.problems.some(({ code }) => code === "cluster-kind-absent");
      await eventually(isSaid, 30_000);
      assert.deepEqual(has(), ["a", "b", "c"]);
    });
  });

  const definition = { name: `${peers.plural}.${peers.group}` };

  async function takeAway(): Promise<void> {
    const crds = cluster.kubeConfig().makeApiClient(ApiextensionsV1Api);
    await crds.deleteCustomResourceDefinition(definition);
  }

  /** With all its objects. */
  async function takenAway(): Promise<void> {
    const crds = cluster.kubeConfig().makeApiClient(ApiextensionsV1Api);
    const isThere = (): Promise<boolean> =>
      crds.readCustomResourceDefinition(definition).then(
        () => true,
        () => false,
      );
    await eventually(async () => !(await isThere()), 30_000);
  }
});
