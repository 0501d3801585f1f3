/** What is written of PeerAuthentications, against the real API server: their status, and the object of a flip. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CustomObjectsApi, type V1PolicyRule } from "@kubernetes/client-node";
import { pino } from "pino";
import { openPolicyConditions } from "../../src/app/server/kube/writes/policy-conditions.ts";
import type { PolicyConditionsSource } from "../../src/app/server/kube/writes/policy-conditions-source.ts";
import { ClusterEdits } from "../../src/app/server/kube/writes/cluster-edits.ts";
import { KubeWatch } from "../../src/app/server/kube/watched-cache.ts";
import { ResourceSet } from "../../src/app/server/policy/resources/resource-set.ts";
import { storedObject } from "../../src/app/server/policy/resources/stored-object.ts";
import type { JsonObject } from "../../src/core/identity/json-object.ts";
import type { PolicyFacts } from "../../src/core/kube/writes/conditions.ts";
import { refKey } from "../../src/core/resources/policy-object.ts";
import type { ResourceName, ResourceRef } from "../../src/core/resources/resource.ts";
import type { KubeAccess } from "../../src/edge/kube/kube-access.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { policyKinds } from "../../src/edge/kube/read/read-policy-objects.ts";
import {
  editPolicyObject,
  isSameManifest,
  readPolicyObject,
  writePolicyObject,
} from "../../src/edge/kube/write/policy-object.ts";
import { WritePace } from "../../src/edge/kube/write/write-pace.ts";
import { until } from "../support/bundle-maps.ts";
import { logRecorder, type LogRecorder } from "../support/log-recorder.ts";
import { OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";

const root = join(import.meta.dirname, "../..");
const group = { group: "security.istio.io", version: "v1", plural: "peerauthentications" };
const nowMs = (): number => performance.now();
const facts: PolicyFacts = {
  uid: undefined,
  generation: 1,
  problems: [],
  warnings: [],
  proxies: { confirmed: 1, total: 2 },
  verdict: undefined,
};

/** What is known of policies, changed by a test. */
class Known implements PolicyConditionsSource {
  readonly #facts = new Map<string, readonly [ResourceName, PolicyFacts]>();
  readonly #listeners = new Set<(names: readonly ResourceName[] | undefined) => void>();
  reads = 0;

  set(name: ResourceName, facts: PolicyFacts): void {
    this.#facts.set(`${name.namespace}/${name.name}`, [name, facts]);
    for (const listener of this.#listeners) listener([name]);
  }

  async conditionsOf({ namespace, name }: ResourceName): Promise<PolicyFacts | undefined> {
    this.reads++;
    return this.#facts.get(`${namespace}/${name}`)?.[1];
  }

  names(): Iterable<ResourceName> {
    return Array.from(this.#facts.values(), ([name]) => name);
  }

  onChange(listener: (names: readonly ResourceName[] | undefined) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

describe("PeerAuthentications", { skip: skipKube }, () => {
  let cluster: Cluster;
  let access: KubeAccess;
  let connection: KubeConnection;
  let objects: CustomObjectsApi;

  before(async () => {
    cluster = await startCluster();
    await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
    access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
    connection = new KubeConnection({ access });
    objects = cluster.kubeConfig().makeApiClient(CustomObjectsApi);
  });

  after(async () => {
    connection[Symbol.dispose]();
    await cluster.stop();
  });

  async function make(namespace: string, name: string, mode = "PERMISSIVE"): Promise<JsonObject> {
    const metadata = { name, labels: { theirs: "1" } };
    const spec = { selector: { matchLabels: { app: name } }, mtls: { mode } };
    const kind = "PeerAuthentication";
    const body = { apiVersion: "security.istio.io/v1", kind, metadata, spec };
    return await objects.createNamespacedCustomObject({ ...group, namespace, body });
  }

  async function read(namespace: string, name: string): Promise<JsonObject> {
    return await objects.getNamespacedCustomObject({ ...group, namespace, name });
  }

  async function writeStatus(namespace: string, name: string, status: JsonObject): Promise<void> {
    const body = { ...(await read(namespace, name)), status };
    await objects.replaceNamespacedCustomObjectStatus({ ...group, namespace, name, body });
  }

  function conditionsIn(object: JsonObject): readonly JsonObject[] {
    const { conditions = [] } = (object["status"] ?? {}) as { conditions?: JsonObject[] };
    return conditions;
  }

  function open(
    source: Known,
    owned: AsyncDisposableStack,
    { log }: Pick<LogRecorder, "log"> = { log: pino({ level: "silent" }) },
    by = connection,
    restMs = 300,
  ): void {
    const pace = new WritePace({ nowMs });
    const options = { connection: by, pace, source, log, random: () => 0, wallMs: Date.now, nowMs };
    openPolicyConditions({ ...options, restMs }, owned);
  }

  it("say in their status what is known of them, and others' conditions stay", async () => {
    const namespace = await cluster.namespace("status");
    await make(namespace, "cart");
    await writeStatus(namespace, "cart", {
      conditions: [{ type: "Reconciled", status: "True" }],
      validationMessages: ["theirs"],
    });
    const name = { namespace, name: "cart" };
    await using owned = new AsyncDisposableStack();
    const known = new Known();
    open(known, owned);
    known.set(name, { ...facts, verdict: { kind: "SAFE", why: "nobody calls in plaintext" } });
    await until(async () => conditionsIn(await read(namespace, "cart")).length === 4);
    const first = await read(namespace, "cart");
    assert.deepEqual(
      conditionsIn(first).map(({ type, status }) => [type, status].join(" ")),
      [
        "Reconciled True",
        "portcullis.io/Accepted True",
        "portcullis.io/InForce False",
        "portcullis.io/Verdict True",
      ],
    );
    assert.deepEqual((first["status"] as JsonObject)["validationMessages"], ["theirs"]);
    assert.equal((first["metadata"] as JsonObject)["generation"], 1);
    known.set(name, { ...facts, proxies: { confirmed: 2, total: 2 } });
    const statusOf = async (type: string): Promise<unknown> =>
      conditionsIn(await read(namespace, "cart")).find((each) => each["type"] === type)?.["status"];
    await until(async () => (await statusOf("portcullis.io/InForce")) === "True");
    assert.equal(await statusOf("portcullis.io/Verdict"), undefined);
  });

  it("are written when something has changed, and then once in a while", async () => {
    const namespace = await cluster.namespace("rest");
    await make(namespace, "cart");
    const name = { namespace, name: "cart" };
    const versionOf = async (): Promise<unknown> =>
      ((await read(namespace, "cart"))["metadata"] as JsonObject)["resourceVersion"];
    await using owned = new AsyncDisposableStack();
    const known = new Known();
    open(known, owned);
    known.set(name, facts);
    await until(async () => conditionsIn(await read(namespace, "cart")).length === 2);
    const [version, startMs] = [await versionOf(), nowMs()];
    const readsBefore = known.reads;
    known.set(name, facts);
    await until(() => known.reads > readsBefore);
    assert.equal(await versionOf(), version);
    const versions = new Set<unknown>();
    for (let confirmed = 10; confirmed < 200; confirmed++) {
      known.set(name, { ...facts, proxies: { confirmed, total: 200 } });
      versions.add(await versionOf());
    }
    await until(async () => JSON.stringify(await read(namespace, "cart")).includes("199 of 200"));
    const mostWrites = 2 + (nowMs() - startMs) / 300;
    assert.ok(versions.size <= mostWrites, `${versions.size} of ${mostWrites}`);
  });

  it("are read again where somebody comes between, and left where they are gone or others", async () => {
    const namespace = await cluster.namespace("storm");
    await make(namespace, "cart");
    const name = { namespace, name: "cart" };
    await using owned = new AsyncDisposableStack();
    const known = new Known();
    const recorder = logRecorder();
    open(known, owned, recorder, connection, 0);
    const rival = async (at: number): Promise<void> => {
      const body = { metadata: { annotations: { at: `${at}` } } };
      await objects
        .patchNamespacedCustomObject({
          ...group,
          namespace,
          name: "cart",
          body: [{ op: "add", path: "/metadata/annotations", value: body.metadata.annotations }],
        })
        .catch(() => {});
    };
    for (let round = 0; round < 10; round++) {
      known.set(name, { ...facts, proxies: { confirmed: round, total: 20 } });
      await Promise.all([0, 1, 2, 3].map(rival));
    }
    await until(async () => JSON.stringify(await read(namespace, "cart")).includes("9 of 20"));
    await objects.deleteNamespacedCustomObject({ ...group, namespace, name: "cart" });
    known.set({ namespace, name: "gone" }, facts);
    known.set(name, { ...facts, uid: "of-the-old-one" });
    await make(namespace, "cart");
    await make(namespace, "next");
    known.set({ namespace, name: "next" }, facts);
    await until(async () => conditionsIn(await read(namespace, "next")).length === 2);
    assert.deepEqual(conditionsIn(await read(namespace, "cart")), []);
    assert.deepEqual(recorder.events, []);
  });

  it("say once that the right to their status is missing", async () => {
    const rules: V1PolicyRule[] = [
      { apiGroups: [group.group], resources: [group.plural], verbs: ["get"] },
    ];
    await using ours = await OurAccount.make(cluster, rules);
    using by = new KubeConnection({ access: ours.access });
    const namespace = await cluster.namespace("rights");
    await make(namespace, "cart");
    await make(namespace, "till");
    await using owned = new AsyncDisposableStack();
    const [known, recorder] = [new Known(), logRecorder()];
    open(known, owned, recorder, by);
    known.set({ namespace, name: "cart" }, facts);
    known.set({ namespace, name: "till" }, facts);
    await until(() => recorder.events.length > 0);
    assert.match(String(recorder.events[0]?.["hint"]), /peerauthentications\/status.*patch/);
    assert.equal(recorder.events.length, 1);
  });

  describe("that decide a flip", () => {
    const refOf = (namespace: string, name: string): ResourceRef => {
      return { kind: "PeerAuthentication", namespace, name };
    };
    const strict = (manifest: JsonObject): JsonObject => {
      const spec = manifest["spec"] as JsonObject;
      return { ...manifest, spec: { ...spec, mtls: { mode: "STRICT" } } };
    };

    it("are changed in what differs alone, as they were judged", async () => {
      const namespace = await cluster.namespace("flip");
      await make(namespace, "cart");
      const ref = refOf(namespace, "cart");
      const { manifest: before = {} } = (await readPolicyObject(connection, ref)) ?? {};
      await editPolicyObject(connection, ref, { before, after: strict(before) });
      const { spec, metadata } = await read(namespace, "cart");
      const selector = { matchLabels: { app: "cart" } };
      assert.deepEqual(spec, { selector, mtls: { mode: "STRICT" } });
      assert.deepEqual((metadata as JsonObject)["labels"], { theirs: "1" });
      const again = editPolicyObject(connection, ref, { before, after: strict(before) });
      await assert.rejects(again, { name: "KubeError", code: "kube-conflict" });
    });

    it("are not changed as another version than the one that was judged", async () => {
      const namespace = await cluster.namespace("stale");
      await make(namespace, "cart");
      const ref = refOf(namespace, "cart");
      const { manifest = {}, resourceVersion = "" } =
        (await readPolicyObject(connection, ref)) ?? {};
      const permissive = strict(manifest);
      await editPolicyObject(connection, ref, { before: manifest, after: permissive });
      const conflict = { name: "KubeError", code: "kube-conflict" };
      const change = { before: manifest, after: { ...manifest, spec: {} }, resourceVersion };
      await assert.rejects(
        writePolicyObject(connection, ref, { kind: "change", ...change }),
        conflict,
      );
      const remove = { kind: "delete", resourceVersion } as const;
      await assert.rejects(writePolicyObject(connection, ref, remove), conflict);
      const { manifest: now } = (await readPolicyObject(connection, ref)) ?? {};
      assert.ok(now !== undefined && isSameManifest(now, permissive));
    });

    it("are in the configuration when the edit has ended, and it is refused where they were changed", async () => {
      const namespace = await cluster.namespace("edits");
      await make(namespace, "cart");
      const ref = refOf(namespace, "cart");
      const set = new ResourceSet(0, { directory: [], applied: [], cluster: [] });
      const [kind] = policyKinds;
      assert.ok(kind !== undefined);
      await using owned = new AsyncDisposableStack();
      const watch = owned.use(new KubeWatch({ connection, kind, random: () => 0, nowMs }));
      owned.use(
        watch.onChange((changes) => {
          const loaded = changes.flatMap(({ after }) => after?.loaded ?? []);
          const layer = { layer: "cluster", put: loaded.map(storedObject), remove: [] } as const;
          set.change(layer, set.sequence + 1);
        }),
      );
      const written = (): JsonObject => JSON.parse(set.find(refKey(ref))?.json ?? "{}");
      await until(() => set.find(refKey(ref)) !== undefined);
      const { signal } = new AbortController();
      const edits = new ClusterEdits({ connection, set, signal });
      const before = written();
      const { sequence } = set;
      await edits.edit(ref, { before, after: strict(before) });
      assert.ok(set.sequence > sequence);
      assert.ok(isSameManifest(written(), strict(before)));
      const conflict = { name: "KubeError", code: "kube-conflict" };
      await assert.rejects(edits.edit(ref, { before, after: strict(before) }), conflict);
    });

    it("are made where there is none, once, and deleted", async () => {
      const namespace = await cluster.namespace("made");
      const ref = refOf(namespace, "cart");
      const manifest = {
        apiVersion: "security.istio.io/v1",
        kind: "PeerAuthentication",
        metadata: { name: "cart", namespace, creationTimestamp: "2020-01-01T00:00:00Z" },
        spec: { mtls: { mode: "STRICT" } },
      };
      await editPolicyObject(connection, ref, { before: undefined, after: manifest });
      const conflict = { name: "KubeError", code: "kube-conflict" };
      const create = { kind: "create", manifest } as const;
      await assert.rejects(writePolicyObject(connection, ref, create), conflict);
      const edit = { before: undefined, after: manifest };
      await assert.rejects(editPolicyObject(connection, ref, edit), conflict);
      await editPolicyObject(connection, ref, { before: manifest, after: undefined });
      assert.equal(await readPolicyObject(connection, ref), undefined);
    });
  });
});
