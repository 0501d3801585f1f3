import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { testPod } from "../../../../test/support/kube-objects.ts";
import { Services } from "../../policy/services.ts";
import { asServiceEntry } from "./as-service-entry.ts";
import { asWorkloadEntry } from "./as-workload-entry.ts";
import type { EndpointSlice, KubeService, SliceEndpoint } from "../kube-service.ts";
import type { Pod } from "../pod.ts";

const selector = new Map([["app", "cart"]]);
const http = { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 } as const;
const named = { ...http, targetPort: undefined };

const service = (changes: Partial<KubeService> = {}): KubeService => ({
  namespace: "shop",
  name: "cart",
  uid: "service-uid",
  createdMs: 7,
  clusterIPs: ["10.96.0.1"],
  ports: [http],
  selector,
  externalName: undefined,
  exportTo: [],
  publishesNotReady: false,
  ...changes,
});

const endpoint = (changes: Partial<SliceEndpoint> = {}): SliceEndpoint => ({
  addresses: ["10.0.0.1"],
  podName: "cart-1",
  isReady: true,
  ...changes,
});

const slice = (port: number, ...endpoints: readonly SliceEndpoint[]): EndpointSlice => ({
  namespace: "shop",
  name: `cart-${port}`,
  uid: `slice-${port}`,
  serviceName: "cart",
  endpoints,
  ports: new Map([["http", port]]),
});

function entryOf(
  of: KubeService,
  slices: readonly EndpointSlice[] = [],
  pods: readonly Pod[] = [],
) {
  const podNamed = (name: string): Pod | undefined => pods.find((pod) => pod.name === name);
  return asServiceEntry(of, slices, { clusterDomain: "cluster.local", podNamed });
}

describe("a Service", () => {
  it("is a host in the mesh whose endpoints its selector finds", () => {
    assert.deepEqual(entryOf(service({ clusterIPs: ["10.96.0.1", "fd00::1"], exportTo: ["."] })), {
      ref: {
        kind: "ServiceEntry",
        namespace: "shop",
        name: "cart.shop.svc.cluster.local",
        standsFor: { kind: "Service", name: "cart" },
      },
      createdMs: 7,
      hosts: ["cart.shop.svc.cluster.local"],
      addresses: ["10.96.0.1", "fd00::1"],
      ports: [http],
      isInternal: true,
      resolution: "STATIC",
      endpoints: [],
      workloadSelector: selector,
      subjectAltNames: [],
      exportTo: ["."],
    });
  });

  it("without an address of its own (headless) has the same endpoints", () => {
    const { addresses, ...headless } = entryOf(service({ clusterIPs: [] }));
    const { addresses: own, ...usual } = entryOf(service());
    assert.deepEqual([addresses, own.length, headless], [[], 1, usual]);
  });

  it("of type ExternalName is a name outside of the mesh", () => {
    const external = { clusterIPs: [], selector: new Map(), externalName: "API.example.com" };
    const entry = entryOf(service(external));
    assert.deepEqual([entry.isInternal, entry.resolution, entry.addresses], [false, "DNS", []]);
    assert.deepEqual(
      entry.endpoints.map(({ address, serviceAccount }) => [address, serviceAccount]),
      [["api.example.com", ""]],
    );
  });
});

describe("a target port", () => {
  const other = endpoint({ podName: "cart-2", addresses: ["10.0.0.2"] });
  const table: readonly (readonly [
    string,
    KubeService,
    readonly EndpointSlice[],
    number | undefined,
    boolean,
  ])[] = [
    ["is the number that is written", service(), [], 8080, true],
    [
      "that is a name is what the slices say",
      service({ ports: [named] }),
      [slice(8081, endpoint())],
      8081,
      true,
    ],
    ["that is a name is nothing without slices", service({ ports: [named] }), [], undefined, true],
    [
      "is not asked of a slice without endpoints",
      service({ ports: [named] }),
      [slice(1), slice(8081, endpoint())],
      8081,
      true,
    ],
    [
      "that is another number on each pod is written to each",
      service({ ports: [named] }),
      [slice(8081, endpoint()), slice(8082, other)],
      undefined,
      false,
    ],
    [
      "is written to each endpoint without a selector",
      service({ selector: new Map() }),
      [slice(9, endpoint())],
      8080,
      false,
    ],
  ];
  for (const [verdict, of, slices, targetPort, isSelected] of table) {
    it(verdict, () => {
      const entry = entryOf(of, slices);
      assert.deepEqual(
        [entry.ports[0]?.targetPort, entry.workloadSelector.size > 0],
        [targetPort, isSelected],
      );
      const ports = entry.endpoints.map((each) => each.ports.get("http"));
      const expected = slices.flatMap((each) => each.endpoints.map(() => each.ports.get("http")));
      assert.deepEqual(ports, isSelected ? [] : expected);
    });
  }
});

describe("an endpoint that is written", () => {
  const of = service({ selector: new Map() });
  const mesh = testPod({ labels: new Map([["security.istio.io/tlsMode", "istio"]]) });

  it("is as its pod is", () => {
    const [found] = entryOf(of, [slice(9, endpoint())], [mesh]).endpoints;
    assert.deepEqual([found?.serviceAccount, found?.labels], ["cart", mesh.labels]);
  });

  it("takes no mTLS where nobody knows its pod", () => {
    const [unknown] = entryOf(of, [slice(9, endpoint())]).endpoints;
    const [foreign] = entryOf(of, [slice(9, endpoint({ podName: undefined }))], [mesh]).endpoints;
    for (const each of [unknown, foreign]) {
      assert.deepEqual(
        [each?.serviceAccount, each?.labels.get("security.istio.io/tlsMode")],
        ["", "disabled"],
      );
    }
  });

  it("is none before it is ready, or without an address", () => {
    const none = [endpoint({ isReady: false }), endpoint({ addresses: [] })];
    assert.deepEqual(entryOf(of, [slice(9, ...none)]).endpoints, []);
  });
});

describe("a pod", () => {
  it("is a WorkloadEntry with its labels, its account and its first address", () => {
    const labels = new Map([
      ["app", "cart"],
      ["security.istio.io/tlsMode", "istio"],
    ]);
    assert.deepEqual(asWorkloadEntry(testPod({ podIPs: ["10.0.0.1", "fd00::1"], labels })), {
      ref: {
        kind: "WorkloadEntry",
        namespace: "shop",
        name: "cart-1",
        standsFor: { kind: "Pod", name: "cart-1" },
      },
      createdMs: 1_000,
      address: "10.0.0.1",
      ports: new Map(),
      labels,
      serviceAccount: "cart",
      network: "",
      locality: "",
      weight: 0,
    });
  });

  it("without Istio's label has no proxy, although it has an account", () => {
    const entry = asWorkloadEntry(testPod());
    assert.equal(entry?.labels.get("security.istio.io/tlsMode"), "disabled");
  });

  it("is not ready where it says so, and where it is being deleted, whatever it says", () => {
    const pods = [{}, { isReady: false }, { deletionMs: 7 }].map(testPod);
    assert.deepEqual(
      pods.map((pod) => asWorkloadEntry(pod)?.isReady),
      [undefined, false, false],
    );
  });

  it("is none without an address, or at its end", () => {
    const none = [
      testPod({ podIPs: [] }),
      testPod({ phase: "Failed" }),
      testPod({ phase: "Succeeded" }),
    ];
    assert.deepEqual(none.map(asWorkloadEntry), [undefined, undefined, undefined]);
    assert.notEqual(asWorkloadEntry(testPod({ phase: "Pending" })), undefined);
  });
});

it("policies find the same endpoints by the selector as Kubernetes writes into its slices", () => {
  const pods = fc.uniqueArray(
    fc.record({ name: fc.constantFrom("a", "b", "c", "d"), app: fc.constantFrom("cart", "pay") }),
    { selector: ({ name }) => name },
  );
  fc.assert(
    fc.property(pods, fc.boolean(), (all, isNamed) => {
      const there = all.map(({ name, app }, at) =>
        testPod({ name, podIPs: [`10.0.0.${at}`], labels: new Map([["app", app]]) }),
      );
      const chosen = there.filter(({ labels }) => labels.get("app") === "cart");
      const endpoints = chosen.map(({ name, podIPs }) =>
        endpoint({ podName: name, addresses: podIPs }),
      );
      const entry = entryOf(
        service({ ports: [isNamed ? named : http] }),
        [slice(8080, ...endpoints)],
        there,
      );
      const services = new Services();
      services.setService(entry);
      for (const each of there) {
        const workload = asWorkloadEntry(each);
        if (workload !== undefined) services.setWorkload(workload);
      }
      const found = services.endpointsOf(entry).map((each) => each.endpoint.address);
      assert.deepEqual(found.toSorted(), chosen.flatMap(({ podIPs }) => podIPs).toSorted());
    }),
  );
});
