import assert from "node:assert/strict";
import { test } from "node:test";
import { apiHost, endpointOf, serviceOf, tlsOf } from "../../../test/support/policy-objects.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { outboundCluster, type ClusterParts } from "./outbound-cluster.ts";
import type { OutboundCluster } from "./proxy-policy.ts";
import { Services } from "./services.ts";

const inline = { workloadSelector: new Map() };

function clusterOf(
  more: Partial<ServiceEntry>,
  { host = apiHost, ...parts }: Partial<ClusterParts> & { readonly host?: string } = {},
): OutboundCluster {
  const service = serviceOf({ ...inline, hosts: [host], ...more });
  const [port] = service.ports;
  assert(port !== undefined);
  return outboundCluster({
    called: { service, port, host },
    endpoints: new Services().reached(service, host),
    modesOf: () => ({ other: "permissive", ports: new Map() }),
    tls: undefined,
    trustDomain: "mesh.example",
    enableAutoMtls: true,
    ...parts,
  });
}

const at = (address: string, more = {}) => endpointOf({ address, ports: new Map(), ...more });
const addressesOf = ({ endpoints }: OutboundCluster) => endpoints.map(({ address }) => address);

test("each endpoint is sent what it takes, and mTLS names all who may answer", () => {
  const endpoints = [at("10.0.0.2"), at("10.0.0.1", { serviceAccount: "" })];
  const cluster = clusterOf({ endpoints });
  assert.deepEqual(
    cluster.endpoints.map(({ address, sends }) => [address, sends]),
    [
      ["10.0.0.1", "plaintext"],
      ["10.0.0.2", "mtls"],
    ],
  );
  assert.deepEqual(cluster.mtls, {
    sni: `outbound_.80_._.${apiHost}`,
    sans: ["spiffe://mesh.example/ns/shop/sa/api"],
  });
});

test("mTLS is said of a cluster only where some endpoint is sent it", () => {
  const { mtls, origination } = clusterOf(
    { endpoints: [at("10.0.0.1")] },
    { tls: tlsOf("DISABLE") },
  );
  assert.deepEqual([mtls, origination], [undefined, undefined]);
});

test("a rule's TLS of the web goes to endpoints outside of the mesh, and nothing else does", () => {
  const tls = tlsOf("SIMPLE", { sni: "pay.example" });
  const entry = { endpoints: [at("10.0.0.1")], isInternal: false };
  const cluster = clusterOf(entry, { tls });
  assert.deepEqual([cluster.origination, cluster.endpoints[0]?.sends], [tls, "tls"]);
  assert.equal(clusterOf(entry).endpoints[0]?.sends, "plaintext");
});

test("Envoy is told no name where it takes addresses, and no socket where it asks DNS", () => {
  const endpoints = [at("10.0.0.1"), at("fd00::1"), at("vm.test"), at("unix:///run/app.sock")];
  assert.deepEqual(addressesOf(clusterOf({ endpoints })), [
    "10.0.0.1",
    "fd00::1",
    "unix:///run/app.sock",
  ]);
  const dns = clusterOf({ endpoints, resolution: "DNS" });
  assert.deepEqual([dns.addresses, addressesOf(dns)], ["dns", ["10.0.0.1", "fd00::1", "vm.test"]]);
});

test("DNS says who a host without endpoints is, and always where nothing is resolved", () => {
  for (const more of [
    { resolution: "DNS" },
    { resolution: "DNS_ROUND_ROBIN" },
    { resolution: "NONE", endpoints: [at("10.0.0.1")] },
  ] as const) {
    const cluster = clusterOf(more);
    assert.deepEqual([cluster.addresses, addressesOf(cluster)], ["dns", [apiHost]]);
    assert.deepEqual(addressesOf(clusterOf(more, { host: "*.shop.internal" })), []);
  }
});

test("an address stands once, the oldest holds, and a weight is 1 where none is written", () => {
  const endpoints = [at("10.0.0.1", { weight: 5 }), at("10.0.0.1", { weight: 7 }), at("10.0.0.2")];
  const weights = clusterOf({ endpoints }).endpoints.map(({ address, weight }) => [
    address,
    weight,
  ]);
  assert.deepEqual(weights, [
    ["10.0.0.1", 5],
    ["10.0.0.2", 1],
  ]);
});

test("who is not ready is not called, unless its service publishes it all the same", () => {
  const endpoints = [at("10.0.0.1", { isReady: false }), at("10.0.0.2", { isReady: true })];
  assert.deepEqual(addressesOf(clusterOf({ endpoints })), ["10.0.0.2"]);
  const published = clusterOf({ endpoints, callsUnready: true });
  assert.deepEqual(addressesOf(published), ["10.0.0.1", "10.0.0.2"]);
});

test("the protocol is the service's", () => {
  const table = [
    ["TCP", "tcp", false],
    ["AUTO", "tcp", false],
    ["HTTP", "http", false],
    ["HTTP2", "http", true],
    ["GRPC", "http", true],
  ] as const;
  for (const [protocol, expected, isHttp2] of table) {
    const ports = [{ number: 80, name: "p", protocol, targetPort: undefined }];
    const cluster = clusterOf({ ports });
    assert.deepEqual([cluster.protocol, cluster.isHttp2], [expected, isHttp2]);
  }
});
