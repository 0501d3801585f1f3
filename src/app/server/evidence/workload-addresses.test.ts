import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../test/support/kube-objects.ts";
import { workloadOf } from "../../../../test/support/policy-objects.ts";
import type { AddressSpan } from "../../../core/evidence/address-history.ts";
import type { Pod } from "../../../core/kube/pod.ts";
import { nameKey } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import type { AddressChange } from "../../../edge/evidence/evidence-change.ts";
import { WorkloadAddresses } from "./workload-addresses.ts";
import { placeOfEntry, placeOfPod } from "./workload-places.ts";

const knownMs = 500;

function rig(entries: readonly WorkloadEntry[] = [], left: readonly AddressSpan[] = []) {
  const named = new Map<string, WorkloadEntry>();
  const set = (entry: WorkloadEntry): void => {
    named.set(`${entry.ref.namespace}/${entry.ref.name}`, entry);
  };
  for (const entry of entries) set(entry);
  const there = new Set<string>();
  const pods = new Map<string, Pod>();
  const notes: AddressChange[] = [];
  let now = 1_000;
  const addresses = new WorkloadAddresses(
    {
      trustDomain: "mesh.example",
      note: (change) => void notes.push(change),
      placeOf: (name) => {
        const entry = named.get(nameKey(name));
        const pod = pods.get(nameKey(name));
        return entry === undefined ? pod && placeOfPod(pod) : placeOfEntry(entry);
      },
      isThere: (...of) => there.has(of.join(" ")),
      nowMs: () => now++,
    },
    left,
    knownMs,
  );
  const changed = (name: string): void => addresses.changed({ namespace: "shop", name });
  const said = () =>
    notes.splice(0).map(({ kind, address, workload, isMeshed, atMs }) => {
      return `${kind} ${address} ${workload} ${isMeshed ? "meshed" : "unmeshed"} ${atMs}`;
    });
  return { set, named, pods, there, changed, said };
}

const web = (address: string, serviceAccount = "web") =>
  workloadOf("shop/web-0", { address, serviceAccount });
const webIsThere = "shop web-0 spiffe://mesh.example/ns/shop/sa/web";

describe("an address", () => {
  it("is held from when its entry comes until it goes or changes", () => {
    const { set, named, changed, said } = rig();
    set(web("10.0.0.1"));
    changed("web-0");
    changed("web-0");
    set(web("::ffff:10.0.0.2"));
    changed("web-0");
    named.clear();
    changed("web-0");
    assert.deepEqual(said(), [
      "held 10.0.0.1 shop/web-0 unmeshed 1000",
      "left 10.0.0.1 shop/web-0 unmeshed 1001",
      "held 10.0.0.2 shop/web-0 unmeshed 1001",
      "left 10.0.0.2 shop/web-0 unmeshed 1002",
    ]);
  });

  it("has a proxy of the mesh while one of its workload's identity is there", () => {
    const { set, there, changed, said } = rig([web("10.0.0.1")]);
    changed("web-0");
    there.add(webIsThere);
    changed("web-0");
    set(web("10.0.0.1", "other"));
    changed("web-0");
    assert.deepEqual(said(), [
      "held 10.0.0.1 shop/web-0 unmeshed 1000",
      "left 10.0.0.1 shop/web-0 unmeshed 1001",
      "held 10.0.0.1 shop/web-0 meshed 1001",
      "left 10.0.0.1 shop/web-0 meshed 1002",
      "held 10.0.0.1 shop/web-0 unmeshed 1002",
    ]);
  });

  it("is none where the entry has a name of DNS or a path", () => {
    const { set, changed, said } = rig();
    for (const address of ["web.example", "unix:///run/web.sock"]) {
      set(web(address));
      changed("web-0");
    }
    assert.deepEqual(said(), []);
  });
});

describe("a pod's addresses", () => {
  it("are its own while it is there, of each family, until it ends or another of its name comes", () => {
    const { pods, changed, said } = rig();
    const is = (pod: Partial<Pod>): void => {
      pods.set("shop/web-0", testPod({ name: "web-0", serviceAccount: "web", ...pod }));
      changed("web-0");
    };
    is({ uid: "a", podIPs: [] });
    is({ uid: "a", podIPs: ["10.0.0.1", "fd00::1"] });
    is({ uid: "a", podIPs: ["10.0.0.1", "fd00::1"], deletionMs: 7 });
    assert.deepEqual(said(), [
      "held 10.0.0.1 shop/web-0 unmeshed 1000",
      "held fd00::1 shop/web-0 unmeshed 1000",
    ]);
    is({ uid: "b", podIPs: ["10.0.0.1"] });
    is({ uid: "b", podIPs: ["10.0.0.1"], phase: "Failed" });
    assert.deepEqual(said(), [
      "left 10.0.0.1 shop/web-0 unmeshed 1001",
      "left fd00::1 shop/web-0 unmeshed 1001",
      "held 10.0.0.1 shop/web-0 unmeshed 1001",
      "left 10.0.0.1 shop/web-0 unmeshed 1002",
    ]);
  });

  it("are nobody's where they are its node's", () => {
    const { pods, changed, said } = rig();
    pods.set("shop/web-0", testPod({ hostNetwork: true }));
    changed("web-0");
    assert.deepEqual(said(), []);
  });

  it("are of the mesh where its label says so, or where its proxy is known", () => {
    const { pods, there, changed, said } = rig();
    pods.set("shop/web-0", testPod({ labels: new Map([["security.istio.io/tlsMode", "istio"]]) }));
    changed("web-0");
    pods.set("shop/web-0", testPod({ serviceAccount: "web" }));
    there.add(webIsThere);
    changed("web-0");
    assert.deepEqual(said(), ["held 10.0.0.1 shop/web-0 meshed 1000"]);
  });

  it("are its WorkloadEntry's where somebody has written one", () => {
    const { pods, set, changed, said } = rig();
    pods.set("shop/web-0", testPod());
    set(web("10.9.9.9"));
    changed("web-0");
    assert.deepEqual(said(), ["held 10.9.9.9 shop/web-0 unmeshed 1000"]);
  });
});

describe("after a start", () => {
  const span = (address: string, isMeshed = false): AddressSpan => {
    return { address, name: "shop/web-0", isMeshed, sinceMs: 7, untilMs: undefined };
  };

  it("who held an address before and holds it now has held it meanwhile", () => {
    const { changed, said } = rig([web("10.0.0.1")], [span("10.0.0.1")]);
    changed("web-0");
    assert.deepEqual(said(), []);
  });

  it("who holds another one has held the first until the server was last at work", () => {
    const { changed, said } = rig([web("10.0.0.2")], [span("10.0.0.1")]);
    changed("web-0");
    assert.deepEqual(said(), [
      "left 10.0.0.1 shop/web-0 unmeshed 500",
      "held 10.0.0.2 shop/web-0 unmeshed 1000",
    ]);
  });

  it("who is not there any more has held it until then", () => {
    const { said } = rig([], [span("10.0.0.1", true)]);
    assert.deepEqual(said(), ["left 10.0.0.1 shop/web-0 meshed 500"]);
  });
});
