import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isServed, planMap, type BundleMap } from "./bundle-map.ts";
import { namespacesByRoots, viewBundleMaps } from "./bundle-maps-view.ts";
import type { KubeNamespace } from "../namespace.ts";

const namespaceOf = (name: string, isTerminating = false): KubeNamespace => {
  return { namespace: "", name, uid: name, labels: new Map(), isTerminating };
};
const mapOf = (changes: Partial<BundleMap> = {}): BundleMap => ({
  namespace: "shop",
  name: "istio-ca-root-cert",
  uid: "uid",
  resourceVersion: "1",
  rootsSha256: "wanted",
  isLabelled: true,
  manager: "",
  ...changes,
});
const shop = namespaceOf("shop");

const plans: readonly (readonly [
  string,
  KubeNamespace | undefined,
  BundleMap | undefined,
  string,
])[] = [
  ["none", shop, mapOf(), "none"],
  ["a missing one", shop, undefined, "create"],
  ["other roots", shop, mapOf({ rootsSha256: "other" }), "change"],
  ["no roots", shop, mapOf({ rootsSha256: undefined }), "change"],
  ["no label", shop, mapOf({ isLabelled: false }), "change"],
  ["a namespace that is gone", undefined, mapOf({ rootsSha256: "other" }), "none"],
  ["one that ends", namespaceOf("shop", true), undefined, "none"],
  ["one that Istio ignores", namespaceOf("kube-public"), undefined, "none"],
];

describe("a ConfigMap with the roots", () => {
  for (const [what, namespace, map, expected] of plans) {
    it(`needs ${expected} for ${what}`, () => {
      assert.equal(planMap(namespace, map, "wanted"), expected);
    });
  }

  it("stands wherever Istio has one", () => {
    const all = ["default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
    const served = all.filter((each) => isServed(namespaceOf(each)));
    assert.deepEqual(served, ["default", "kube-system"]);
  });

  it("is counted, and those that lag are named up to 20", () => {
    const names = Array.from({ length: 30 }, (_, at) => `n${at}`);
    const all = [...names.map((each) => namespaceOf(each)), namespaceOf("kube-public")];
    const current = new Set(["n0", "n1", "n2"]);
    const found = (name: string): BundleMap | undefined =>
      current.has(name) ? mapOf() : undefined;
    const { total, current: count, behind } = viewBundleMaps(all, found, "wanted");
    assert.deepEqual([total, count, behind.length, behind[0]], [30, 3, 20, "n3"]);
  });

  it("is by its roots behind or not: a gate waits for no label, and for one that another writes, too", () => {
    const maps = new Map<string, BundleMap>([
      ["current", mapOf()],
      ["unlabelled", mapOf({ isLabelled: false })],
      ["other", mapOf({ rootsSha256: "other" })],
      ["contested", mapOf()],
    ]);
    const names = [...maps.keys(), "missing", "kube-public"];
    const all = [...names.map((each) => namespaceOf(each)), namespaceOf("ends", true)];
    const isContested = (name: string): boolean => name === "contested";
    const found = (name: string): BundleMap | undefined => maps.get(name);
    assert.deepEqual(namespacesByRoots(all, found, "wanted", isContested), {
      current: 2,
      behind: ["other", "contested", "missing"],
    });
  });
});
