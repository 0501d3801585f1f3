import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../../test/support/kube-objects.ts";
import { asWorkloadEntry } from "../../../../core/kube/configuration/as-workload-entry.ts";
import { refWords } from "../../../../core/resources/resource.ts";
import { parseManifest } from "../../../../edge/resources/parse-manifests.ts";
import { derivedObject } from "../../kube/configuration/derived-object.ts";
import { planChange } from "./plan-change.ts";
import { readAgain } from "./read-manifest.ts";
import { ResourceSet, type ResourceSetChange } from "./resource-set.ts";
import { keyOf, storedObject, type StoredObject } from "./stored-object.ts";

const peer = (mode: string, origin: string): StoredObject =>
  written("security.istio.io/v1", "PeerAuthentication", "default", { mtls: { mode } }, origin);

const entry = (address: string): StoredObject =>
  written("networking.istio.io/v1", "WorkloadEntry", "cart-1", { address }, "");

function written(
  apiVersion: string,
  kind: string,
  name: string,
  spec: object,
  origin: string,
): StoredObject {
  const manifest = { apiVersion, kind, metadata: { namespace: "shop", name }, spec };
  const [loaded] = parseManifest(JSON.stringify(manifest), origin).objects;
  assert.ok(loaded !== undefined);
  return storedObject(loaded);
}

function pod(...podIPs: readonly string[]): StoredObject {
  const object = asWorkloadEntry(testPod({ podIPs }));
  assert.ok(object !== undefined);
  return derivedObject({ kind: "WorkloadEntry", object });
}

function following(set: ResourceSet): () => readonly string[] {
  const said: ResourceSetChange[] = [];
  set.onChange((change) => void said.push(change));
  return () =>
    said
      .splice(0)
      .flatMap(({ set: put, deleted }) => [
        ...put.map((each) => `${refWords(each.object.ref)} ${wordOf(each)}`),
        ...deleted.map((ref) => `${refWords(ref)} deleted`),
      ]);
}

function wordOf({ kind, object }: StoredObject["object"]): string {
  if (kind === "PeerAuthentication") return object.mode;
  return kind === "WorkloadEntry" ? object.address : "";
}

const empty = { directory: [], applied: [], cluster: [] };
const codes = (set: ResourceSet) => set.problems.map(({ code }) => code);

describe("of several objects of a name", () => {
  it("the cluster's holds, then the directory's, then the one that was applied, and the others are said", () => {
    const set = new ResourceSet(0, empty);
    const said = following(set);
    const applied = peer("PERMISSIVE", "");
    set.change({ layer: "applied", put: [applied], remove: [] }, 1);
    set.change({ layer: "directory", put: [peer("DISABLE", "a.yaml:1")], remove: [] }, 2);
    set.change({ layer: "cluster", put: [peer("STRICT", "cluster")], remove: [] }, 3);
    assert.deepEqual(said(), [
      "PeerAuthentication shop/default PERMISSIVE",
      "PeerAuthentication shop/default DISABLE",
      "PeerAuthentication shop/default STRICT",
    ]);
    assert.deepEqual(codes(set).toSorted(), ["applied-hidden", "directory-hidden"]);
    assert.match(set.problems[0]?.text ?? "", /^the one of the cluster holds/);
    assert.equal(set.preview({ layer: "applied", put: [], remove: [] }).size, 1);
    set.change({ layer: "cluster", put: [], remove: [keyOf(applied)] }, 4);
    set.change({ layer: "directory", put: [], remove: [keyOf(applied)] }, 5);
    assert.deepEqual(said(), [
      "PeerAuthentication shop/default DISABLE",
      "PeerAuthentication shop/default PERMISSIVE",
    ]);
    assert.deepEqual(set.problems, []);
  });

  it("what is written holds before a pod of its name, which holds again when that is deleted", () => {
    const set = new ResourceSet(0, empty);
    const said = following(set);
    set.derive([pod("10.0.0.1")], []);
    set.change({ layer: "applied", put: [entry("10.9.9.9")], remove: [] }, 1);
    set.derive([pod("10.0.0.2")], []);
    assert.deepEqual(codes(set), ["pod-hidden"]);
    assert.match(
      set.problems[0]?.text ?? "",
      /^WorkloadEntry shop\/cart-1 holds: Pod shop\/cart-1/,
    );
    set.change({ layer: "applied", put: [], remove: [keyOf(entry("10.9.9.9"))] }, 2);
    set.derive([], [keyOf(entry("10.9.9.9"))]);
    assert.deepEqual(said(), [
      "Pod shop/cart-1 10.0.0.1",
      "WorkloadEntry shop/cart-1 10.9.9.9",
      "Pod shop/cart-1 10.0.0.2",
      "Pod shop/cart-1 deleted",
    ]);
  });
});

describe("what stands for a pod", () => {
  it("counts for what is in force, and not for what is recorded", () => {
    const set = new ResourceSet(3, empty);
    set.derive([pod("10.0.0.1")], []);
    assert.equal(set.sequence, 3);
    assert.equal(set.version, 1);
    assert.equal(set.objects().length, 1);
    assert.equal(set.written().length, 0);
    assert.equal(set.preview({ layer: "applied", put: [], remove: [] }).size, 0);
  });

  it("can be read again from its manifest", () => {
    const { json, object } = pod("10.0.0.1");
    const [read] = parseManifest(json, "cluster").objects;
    const { standsFor: _, ...ref } = object.object.ref;
    assert.deepEqual(read?.object, { ...object, object: { ...object.object, ref } });
  });
});

describe("a change by an operator", () => {
  const plan = (set: ResourceSet, ...apply: readonly StoredObject[]) =>
    planChange(
      { apply: apply.map((each) => readAgain(JSON.parse(each.json))), remove: [] },
      { set, nowMs: 0, read: readAgain },
    );

  it("is refused of what stands in the cluster, whether it is applied or deleted", () => {
    const set = new ResourceSet(0, { ...empty, cluster: [peer("STRICT", "cluster")] });
    set.derive([pod("10.0.0.1")], []);
    const isRefused = { code: "resource-in-cluster", message: /stands in the cluster/ };
    assert.throws(() => plan(set, peer("DISABLE", "")), isRefused);
    assert.deepEqual(plan(set, peer("STRICT", "")).actions[0]?.action, "unchanged");
    for (const { object } of [peer("STRICT", ""), entry("10.9.9.9")]) {
      const remove = [object.object.ref];
      assert.throws(
        () => planChange({ apply: [], remove }, { set, nowMs: 0, read: readAgain }),
        isRefused,
      );
    }
  });

  it("may take a pod's name", () => {
    const set = new ResourceSet(0, empty);
    set.derive([pod("10.0.0.1")], []);
    assert.deepEqual(plan(set, entry("10.9.9.9")).actions[0]?.action, "created");
  });
});
