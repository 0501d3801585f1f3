import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { testPod } from "../../../../test/support/kube-objects.ts";
import { asServiceEntry } from "../../../core/kube/configuration/as-service-entry.ts";
import type { EndpointSlice, KubeService } from "../../../core/kube/kube-service.ts";
import type { Protocol } from "../../../core/resources/service-entry.ts";
import { parseManifest } from "../../resources/parse-manifests.ts";
import { derivedManifest } from "./derived-manifest.ts";

const service = (changes: Partial<KubeService> = {}): KubeService => ({
  namespace: "shop",
  name: "cart",
  uid: "service-uid",
  createdMs: 7_000,
  clusterIPs: ["10.96.0.1"],
  ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
  selector: new Map([["app", "cart"]]),
  externalName: undefined,
  exportTo: [],
  publishesNotReady: false,
  ...changes,
});

const slice: EndpointSlice = {
  namespace: "shop",
  name: "cart-x",
  uid: "slice-uid",
  serviceName: "cart",
  endpoints: [{ addresses: ["10.0.0.1"], podName: "cart-1", isReady: true }],
  ports: new Map([["http", 8080]]),
};

const protocols: readonly Protocol[] = ["TCP", "TLS", "HTTP", "HTTP2", "GRPC", "HTTPS", "AUTO"];

const cases: readonly (readonly [string, KubeService, readonly EndpointSlice[]])[] = [
  ["with a selector", service(), []],
  ["with written endpoints", service({ selector: new Map() }), [slice]],
  ["with nobody", service({ selector: new Map() }), []],
  ["headless", service({ clusterIPs: [] }), []],
  ["elsewhere", service({ externalName: "Cart.example", clusterIPs: [] }), []],
  ["for its namespace", service({ exportTo: ["."] }), []],
  ...protocols.map((protocol) => {
    const ports = [{ number: 80, name: "http", protocol, targetPort: undefined }];
    return [protocol, service({ ports }), []] as const;
  }),
];

describe("what stands for a service, as a manifest", () => {
  for (const [title, of, slices] of cases) {
    it(`is read as it was: ${title}`, () => {
      const world = { clusterDomain: "cluster.local", podNamed: () => testPod() };
      const object = asServiceEntry(of, slices, world);
      const manifest = derivedManifest({ kind: "ServiceEntry", object });
      const { objects, problems } = parseManifest(JSON.stringify(manifest), "cluster");
      assert.deepEqual(problems, []);
      const { standsFor: _, ...ref } = object.ref;
      assert.deepEqual(objects[0]?.object.object, { ...object, ref });
    });
  }

  it("names a port that has no name", () => {
    const ports = [{ number: 80, name: "", protocol: "TCP", targetPort: undefined }] as const;
    const world = { clusterDomain: "cluster.local", podNamed: () => undefined };
    const object = asServiceEntry(service({ ports }), [], world);
    const manifest = derivedManifest({ kind: "ServiceEntry", object });
    const { problems } = parseManifest(JSON.stringify(manifest), "cluster");
    assert.deepEqual(problems, []);
  });
});
