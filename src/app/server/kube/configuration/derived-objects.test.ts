import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../../test/support/kube-objects.ts";
import { FakeWatch } from "../../../../../test/support/watched-cache.ts";
import type { EndpointSlice, KubeService } from "../../../../core/kube/kube-service.ts";
import type { Pod } from "../../../../core/kube/pod.ts";
import { ResourceSet } from "../../policy/resources/resource-set.ts";
import { DerivedObjects } from "./derived-objects.ts";

const service = (changes: Partial<KubeService> = {}): KubeService => ({
  namespace: "shop",
  name: "cart",
  uid: "service-uid",
  createdMs: 7,
  clusterIPs: ["10.96.0.1"],
  ports: [{ number: 80, name: "", protocol: "HTTP", targetPort: 8080 }],
  selector: new Map([["app", "cart"]]),
  externalName: undefined,
  exportTo: [],
  publishesNotReady: false,
  ...changes,
});

/** Of a service without a selector: its endpoints are written. */
const slice = (podName: string, address = "10.0.0.1"): EndpointSlice => ({
  namespace: "shop",
  name: "cart-x",
  uid: "slice-uid",
  serviceName: "cart",
  endpoints: [{ addresses: [address], podName, isReady: true }],
  ports: new Map([["", 8080]]),
});

function rig(start: (caches: ReturnType<typeof cachesOf>) => void = () => {}) {
  const caches = cachesOf();
  start(caches);
  const set = new ResourceSet(0, { directory: [], applied: [], cluster: [] });
  const said: string[][] = [];
  set.onChange(({ set: put, deleted }) => {
    const names = put.map(({ object }) => object.ref.standsFor);
    const gone = deleted.map(({ standsFor }) => standsFor);
    const words = [
      ...names.map((each) => ["set", each] as const),
      ...gone.map((each) => ["deleted", each] as const),
    ];
    said.push(words.map(([verb, each]) => `${verb} ${each?.kind} ${each?.name}`));
  });
  const derived = new DerivedObjects({ caches, set, clusterDomain: "cluster.local" });
  return { ...caches, set, derived, said: () => said.splice(0) };
}

function cachesOf() {
  return {
    pods: new FakeWatch<Pod>(),
    services: new FakeWatch<KubeService>(),
    slices: new FakeWatch<EndpointSlice>(),
  };
}

const noSelector = new Map<string, string>();

describe("a cluster's pods and services", () => {
  it("are in force at once where they are known at a start", () => {
    const { said } = rig(({ pods, services }) => {
      pods.list(testPod());
      services.list(service());
    });
    assert.deepEqual(said(), [["set Pod cart-1", "set Service cart"]]);
  });

  it("are one change however many messages tell of them, and none where nothing is other than before", () => {
    const { pods, derived, said } = rig();
    for (let at = 0; at < 1_000; at++) pods.set(testPod({ name: `cart-${at}`, uid: `u${at}` }));
    assert.deepEqual(said(), []);
    derived.flush();
    const [one = [], ...others] = said();
    assert.deepEqual([one.length, others.length], [1_000, 0]);
    pods.set(
      testPod({ name: "cart-1", uid: "u1", podIPs: [] }),
      testPod({ name: "cart-1", uid: "u1" }),
    );
    derived.flush();
    assert.deepEqual(said(), []);
  });

  it("come by themselves, soon", async () => {
    const { pods, set, derived } = rig();
    const came = Promise.withResolvers<void>();
    set.onChange(() => came.resolve());
    pods.set(testPod());
    await came.promise;
    derived[Symbol.dispose]();
  });

  it("go with what they stand for: deleted, at its end, or without an address", () => {
    const gone: readonly ((pods: FakeWatch<Pod>) => void)[] = [
      (pods) => pods.delete(testPod()),
      (pods) => pods.set(testPod({ phase: "Succeeded" })),
      (pods) => pods.set(testPod({ podIPs: [] })),
      (pods) => pods.list(),
    ];
    for (const go of gone) {
      const { pods, derived, said } = rig((caches) => caches.pods.list(testPod()));
      said();
      go(pods);
      derived.flush();
      assert.deepEqual(said(), [["deleted Pod cart-1"]]);
    }
  });

  it("of a service with written endpoints change with the pods that these are", () => {
    const { pods, set, derived, said } = rig((caches) => {
      caches.services.list(service({ selector: noSelector }));
      caches.slices.list(slice("cart-1"));
    });
    said();
    pods.set(testPod(), testPod({ name: "other", uid: "other" }));
    derived.flush();
    assert.deepEqual(said(), [["set Pod cart-1", "set Pod other", "set Service cart"]]);
    const found = set.find("ServiceEntry/shop/cart.shop.svc.cluster.local")?.object;
    assert.equal(
      found?.kind === "ServiceEntry" && found.object.endpoints[0]?.serviceAccount,
      "cart",
    );
    pods.set(testPod({ name: "other", uid: "other", podIPs: ["10.0.0.9"] }));
    derived.flush();
    assert.deepEqual(said(), [["set Pod other"]]);
  });

  it("of a service go when it goes, whatever slices are left, and come when one is there again", () => {
    const { services, slices, derived, said } = rig((caches) => {
      caches.services.list(service({ selector: noSelector }));
      caches.slices.list(slice("cart-1"));
    });
    said();
    services.delete(service());
    slices.set(slice("cart-1", "10.0.0.7"));
    derived.flush();
    assert.deepEqual(said(), [["deleted Service cart"]]);
    services.set(service({ selector: noSelector }));
    derived.flush();
    assert.deepEqual(said(), [["set Service cart"]]);
  });
});
