/** What an endpoint is sent: Istio's own cases. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideCalls } from "../../src/core/policy/calls.ts";
import type { Sent } from "../../src/core/policy/client-decision.ts";
import { meshOf, objectsByKind } from "../../src/core/policy/mesh-of.ts";
import { labelsOf } from "../support/policy-objects.ts";
import {
  meshConfig,
  peerPolicy,
  readObjects,
  readVectors,
  type WrittenObject,
} from "./istio-vectors.ts";

const client = { namespace: "client", labels: labelsOf() };

function sentTo(written: readonly WrittenObject[], host: string, subset = ""): readonly Sent[] {
  const { objects, refused } = readObjects(written);
  assert.deepEqual(refused, []);
  const mesh = meshOf(objectsByKind(objects), "td.test");
  const answer = decideCalls(mesh, client, { host, port: 80, subset });
  assert(answer.kind === "known");
  assert.ok(answer.calls.length > 0);
  return answer.calls.map(({ client: { sent } }) => sent);
}

interface EndpointCases {
  readonly cases: readonly {
    readonly name: string;
    readonly subset?: string;
    readonly objects: readonly WrittenObject[];
    readonly istio: string;
  }[];
}

describe("Istio's mtlsCases: the same endpoints are sent mTLS", () => {
  const host = "example.ns.svc.cluster.local";
  const labels = { app: "example", "security.istio.io/tlsMode": "istio" };
  const endpoints = ["10.0.0.1", "10.0.0.2"].map((address) => ({ address, labels }));
  const ports = [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }];
  const of = { location: "MESH_INTERNAL", resolution: "STATIC" };
  const spec = { hosts: [host], ports, endpoints, ...of };
  const service = { kind: "ServiceEntry", namespace: "ns", name: "example", spec };
  const { cases } = readVectors("endpoint-mtls.json") as EndpointCases;
  for (const { name, subset, objects, istio } of cases) {
    test(name, () => {
      const kinds = sentTo([...objects, service], host, subset).map(({ kind }) => kind);
      assert.deepEqual(kinds, [istio, istio]);
    });
  }
});

interface Sending {
  readonly sends: string;
  readonly mode?: string;
  /** The directory of its files. */
  readonly files?: string;
  readonly sni?: string;
  readonly sans?: "default" | readonly string[];
}

interface AutoCases {
  readonly cases: readonly {
    readonly name: string;
    readonly tls?: object;
    readonly auto: boolean;
    readonly isExternal: boolean;
    readonly mode: string;
    readonly istio: Sending;
    readonly ours?: Sending;
  }[];
}

describe("TestBuildAutoMtlsSettings", () => {
  const host = "api.test";
  const { cases } = readVectors("auto-mtls.json") as AutoCases;
  for (const { name, tls, auto, isExternal, mode, istio, ours = istio } of cases) {
    test(name, () => {
      const location = isExternal ? "MESH_EXTERNAL" : "MESH_INTERNAL";
      const endpoints = [{ address: "10.0.0.1", serviceAccount: "api" }];
      const ports = [{ number: 80, name: "http", protocol: "HTTP" }];
      const spec = { hosts: [host], location, resolution: "STATIC", endpoints, ports };
      const rule = { host, trafficPolicy: { tls } };
      const [sent] = sentTo(
        [
          meshConfig({ enableAutoMtls: auto }),
          { kind: "ServiceEntry", namespace: "ns", name: "api", spec },
          ...(mode === "unknown" ? [] : [ofMesh(mode)]),
          ...(tls === undefined
            ? []
            : [{ kind: "DestinationRule", namespace: "ns", name: "api", spec: rule }]),
        ],
        host,
      );
      assert(sent);
      assert.deepEqual(sendingOf(sent), ours);
    });
  }
});

function ofMesh(mode: string): WrittenObject {
  return peerPolicy({ namespace: "istio-system", name: "mesh", mode: mode.toUpperCase() });
}

function sendingOf(sent: Sent): Sending {
  if (sent.kind === "plaintext") return { sends: "plaintext" };
  if (sent.kind === "origination") {
    const { mode, caCertificates, clientCertificate, privateKey, sni, subjectAltNames } = sent.tls;
    const files = [caCertificates, clientCertificate, privateKey].map((each) => {
      return each?.slice(0, each.lastIndexOf("/"));
    });
    assert.equal(new Set(files).size, 1);
    assert.deepEqual([sni, subjectAltNames], [undefined, []]);
    return { sends: "tls", mode, files: files[0] ?? "" };
  }
  const { sni, sans } = sent;
  const isDefault = sans.join() === "spiffe://td.test/ns/ns/sa/api";
  return {
    sends: "mtls",
    sni: sni === "outbound_.80_._.api.test" ? "default" : sni,
    sans: isDefault ? "default" : sans,
  };
}
