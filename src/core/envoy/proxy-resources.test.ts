import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import {
  FilterChainSchema,
  ListenerSchema,
  type Listener,
} from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import { emptyPolicy, type InboundPort, type OutboundCluster } from "../policy/proxy-policy.ts";
import type { ServerMode } from "../policy/server-mode.ts";
import { TrustDomain } from "../spiffe/id.ts";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
  proxyResources,
  type ProxyResources,
} from "./proxy-resources.ts";

const trustDomain = TrustDomain.parse("td.test");
const modes: readonly ServerMode[] = ["disable", "permissive", "strict"];
const protocols = ["tcp", "http", "auto"] as const;

const inbound: InboundPort = {
  port: 8080,
  bind: "10.0.0.1",
  protocol: "tcp",
  isHttp2: false,
  app: { kind: "ip", host: "127.0.0.1", port: 80 },
  mode: "permissive",
};

const cluster: OutboundCluster = {
  name: "outbound|80||server.shop.svc",
  addresses: "eds",
  isHttp2: false,
  protocol: "http",
  mtls: { sni: "outbound_.80_._.server.shop.svc", sans: ["spiffe://td.test/ns/shop/sa/server"] },
  origination: undefined,
  endpoints: [
    { address: "10.0.0.2", port: 8080, weight: 1, sends: "mtls" },
    { address: "10.0.0.3", port: 8080, weight: 2, sends: "plaintext" },
  ],
};

function render(policy: Partial<typeof emptyPolicy>): ProxyResources {
  return proxyResources({ ...emptyPolicy, ...policy }, { trustDomain });
}

function listenerOf(change: Partial<InboundPort>): Listener {
  const [listener] = render({ inbound: [{ ...inbound, ...change }] }).listeners;
  assert(listener);
  return fromBinary(ListenerSchema, listener.body);
}

/** By the chain's name. */
function chainsOf(listener: Listener): ReadonlyMap<string, Buffer> {
  const octets = listener.filterChains.map((chain) => toBinary(FilterChainSchema, chain));
  return new Map(
    listener.filterChains.map(({ name }, at) => [name, Buffer.from(octets[at] ?? [])]),
  );
}

test("the same policy gives the same octets and versions, and another one others", () => {
  const policy = { inbound: [inbound], clusters: [cluster] };
  assert.deepEqual(render(structuredClone(policy)), render(policy));
  const versions = ({ listeners, clusters, endpoints }: ProxyResources): string[] =>
    [...listeners, ...clusters, ...endpoints].map(({ version }) => version);
  assert.equal(new Set(versions(render(policy))).size, 4);
});

test("a cluster that stays is rendered once, for each trust domain", () => {
  const [first] = render({ clusters: [cluster] }).clusters;
  const [again] = render({ inbound: [inbound], clusters: [cluster] }).clusters.slice(1);
  assert.equal(again, first);
  const anyone = { ...cluster, mtls: { sni: "server", sans: [] } };
  const of = (name: string) =>
    proxyResources({ ...emptyPolicy, clusters: [anyone] }, { trustDomain: TrustDomain.parse(name) })
      .clusters[0]?.version;
  assert.notEqual(of("td.test"), of("other.test"));
  assert.equal(of("td.test"), of("td.test"));
});

test("ports that differ in one thing have each a listener of its own, however often and in whatever order they are rendered", () => {
  const all = ["td.test", "other.test"].flatMap((name) =>
    [8080, 8081].flatMap((port) =>
      ["10.0.0.1", "10.0.0.2"].flatMap((bind) =>
        protocols.flatMap((protocol) =>
          modes.map((mode) => ({ name, ports: [{ ...inbound, port, bind, protocol, mode }] })),
        ),
      ),
    ),
  );
  const renderOne = ({ name, ports }: (typeof all)[number]): ProxyResources =>
    proxyResources({ ...emptyPolicy, inbound: ports }, { trustDomain: TrustDomain.parse(name) });
  const versions = all.map((each) => renderOne(each).listeners[0]?.version);
  assert.equal(new Set(versions).size, all.length);
  assert.deepEqual(
    all.toReversed().map((each) => renderOne(each).listeners[0]?.version),
    versions.toReversed(),
  );
});

test("an application's cluster is rendered once for all addresses and modes of its port", () => {
  const of = (change: Partial<InboundPort>) =>
    render({ inbound: [{ ...inbound, ...change }] }).clusters[0];
  assert.equal(of({ bind: "10.0.0.2", mode: "strict" }), of({}));
  const app = { kind: "ip", host: "127.0.0.1", port: 81 } as const;
  const others: readonly Partial<InboundPort>[] = [
    {},
    { port: 8081 },
    { protocol: "http" },
    { protocol: "http", isHttp2: true },
    { app },
  ];
  const versions = others.map((change) => of(change)?.version);
  assert.equal(new Set(versions).size, versions.length);
});

test("a change of mode changes filter chains only, and of those neither mTLS nor canary", () => {
  for (const protocol of protocols) {
    const listeners = modes.map((mode) => listenerOf({ protocol, mode }));
    const frames = listeners.map((each) => ({ ...each, filterChains: [] }));
    for (const frame of frames) assert.deepEqual(frame, frames[0]);
    const [disable, permissive, strict] = listeners.map(chainsOf);
    assert(disable && permissive && strict);
    assert.deepEqual(disable.get("canary"), permissive.get("canary"));
    assert.deepEqual(permissive.get("canary"), strict.get("canary"));
    for (const [name, chain] of permissive) {
      if (name.startsWith("mtls")) assert.deepEqual(strict.get(name), chain);
      else if (name !== "canary") assert.deepEqual(disable.get(name), chain, name);
    }
  }
});

test("a change of what an endpoint is sent leaves the cluster as it is, and moves the endpoint", () => {
  const [one, other] = (["plaintext", "mtls"] as const).map((sends) => {
    const endpoints = cluster.endpoints.map((endpoint) => ({ ...endpoint, sends }));
    return render({ clusters: [{ ...cluster, endpoints }] });
  });
  assert.deepEqual(one?.clusters, other?.clusters);
  const zones = [one, other].map((each) => {
    const [assignment] = each?.endpoints ?? [];
    assert(assignment);
    const { endpoints } = fromBinary(ClusterLoadAssignmentSchema, assignment.body);
    return endpoints.map(({ locality }) => locality?.subZone);
  });
  assert.deepEqual(zones, [["disabled"], ["istio"]]);
});

test("every endpoint's metadata chooses one of its cluster's sockets", () => {
  const [rendered] = render({ clusters: [cluster] }).clusters;
  const [assignment] = render({ clusters: [cluster] }).endpoints;
  assert(rendered && assignment);
  const { transportSocketMatches } = fromBinary(ClusterSchema, rendered.body);
  const names = fromBinary(ClusterLoadAssignmentSchema, assignment.body).endpoints.map((each) => {
    const match = each.lbEndpoints[0]?.metadata?.filterMetadata["envoy.transport_socket_match"];
    const chosen = transportSocketMatches.find((socket) =>
      Object.entries(socket.match ?? {}).every(([key, value]) => match?.[key] === value),
    );
    return chosen?.name;
  });
  assert.deepEqual(names, ["tlsMode-istio", "tlsMode-disabled"]);
});

test("an endpoint that is to be sent TLS of which nothing is said gets nothing, and no plaintext", () => {
  const [assignment] = render({ clusters: [{ ...cluster, mtls: undefined }] }).endpoints;
  assert(assignment);
  const { endpoints } = fromBinary(ClusterLoadAssignmentSchema, assignment.body);
  assert.deepEqual(
    endpoints.map(({ locality }) => locality?.subZone),
    ["disabled"],
  );
});

test("endpoints go with clusters that are told them, and stand in those that ask DNS", () => {
  const dns = { ...cluster, addresses: "dns" } as const;
  assert.deepEqual(render({ clusters: [dns] }).endpoints, []);
  const [rendered] = render({ clusters: [dns] }).clusters;
  assert(rendered);
  const { loadAssignment } = fromBinary(ClusterSchema, rendered.body);
  assert.equal(loadAssignment?.endpoints.flatMap((each) => each.lbEndpoints).length, 2);
  assert.deepEqual(
    render({ clusters: [cluster] }).endpoints.map(({ name }) => name),
    [cluster.name],
  );
});

test("the type URLs are those of the messages", () => {
  const prefix = "type.googleapis.com/";
  assert.equal(listenerTypeUrl, prefix + ListenerSchema.typeName);
  assert.equal(clusterTypeUrl, prefix + ClusterSchema.typeName);
  assert.equal(endpointTypeUrl, prefix + ClusterLoadAssignmentSchema.typeName);
});

test("nothing to do is nothing to send", () => {
  assert.deepEqual(render({}), { listeners: [], clusters: [], endpoints: [] });
});
