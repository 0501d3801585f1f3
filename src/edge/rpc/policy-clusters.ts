/** The outbound half of a ProxyPolicy on the wire and back. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  OutboundCluster,
  OutboundEndpoint,
  OutboundPort,
} from "../../core/policy/proxy-policy.ts";
import {
  Protocol,
  Sending,
  type MeshTls,
  type OutboundCluster as WireCluster,
  type OutboundClusterSchema,
  type OutboundEndpoint as WireEndpoint,
  type OutboundPort as WirePort,
  type OutboundPortSchema,
  type OutboundRoute as WireRoute,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  assertCount,
  assertPolicy,
  parseIp,
  parsePort,
  parseSans,
  parseSni,
  parseText,
  wireNames,
} from "./policy-fields.ts";
import { encodeOrigination, parseOrigination } from "./policy-origination.ts";

const routesMax = 4_096;
const domainsMax = 256;
/** More than a virtual host of Envoy or a cluster of Istio may have. */
const nameLengthMax = 512;
const unixPrefix = "unix://";

const protocols = wireNames([
  ["tcp", Protocol.TCP],
  ["http", Protocol.HTTP],
]);
const sendings = wireNames([
  ["plaintext", Sending.PLAINTEXT],
  ["mtls", Sending.MTLS],
  ["tls", Sending.TLS],
]);

export function encodeOutbound(port: OutboundPort): MessageInitShape<typeof OutboundPortSchema> {
  const routes = port.routes.map(({ domains, cluster }) => ({ domains: [...domains], cluster }));
  return { ...port, protocol: protocols.encode(port.protocol), routes };
}

/** @throws MeshMessageError */
export function parseOutbound({ bind, port, ...wire }: WirePort, path: string): OutboundPort {
  const protocol = protocols.parse(wire.protocol, `${path}.protocol`);
  assertCount(wire.routes, routesMax, `${path}.routes`);
  const routes = wire.routes.map((route, at) => parseRoute(route, `${path}.routes[${at}]`));
  if (protocol === "tcp") {
    const isOne = routes.length === 1 && routes[0]?.domains.length === 0;
    assertPolicy(isOne, `${path}.routes`, "one without domains, for TCP");
  } else {
    const areAll = routes.every(({ domains }) => domains.length > 0);
    assertPolicy(areAll, `${path}.routes`, "domains in each, for HTTP");
  }
  return {
    bind: parseIp(bind, `${path}.bind`),
    port: parsePort(port, `${path}.port`),
    protocol,
    routes,
  };
}

function parseRoute({ domains, cluster }: WireRoute, path: string): OutboundPort["routes"][number] {
  assertCount(domains, domainsMax, `${path}.domains`);
  return {
    domains: domains.map((each) => parseText(each, nameLengthMax, `${path}.domains`)),
    cluster: parseText(cluster, nameLengthMax, `${path}.cluster`),
  };
}

export function encodeCluster(
  cluster: OutboundCluster,
): MessageInitShape<typeof OutboundClusterSchema> {
  const { name, addresses, isHttp2, protocol, mtls, origination, endpoints } = cluster;
  return {
    name,
    dns: addresses === "dns",
    http2: isHttp2,
    protocol: protocols.encode(protocol),
    ...(mtls && { mtls: { sni: mtls.sni, sans: [...mtls.sans] } }),
    ...(origination && { origination: encodeOrigination(origination) }),
    endpoints: endpoints.map((each) => ({ ...each, sends: sendings.encode(each.sends) })),
  };
}

/** @throws MeshMessageError */
export function parseCluster(wire: WireCluster, path: string): OutboundCluster {
  const endpoints = wire.endpoints.map((each, at) =>
    parseEndpoint(each, `${path}.endpoints[${at}]`),
  );
  const mtls = wire.mtls && parseMtls(wire.mtls, `${path}.mtls`);
  const origination = wire.origination && parseOrigination(wire.origination, `${path}.origination`);
  const sends = new Set(endpoints.map(({ sends }) => sends));
  // Without it a renderer could only send plaintext in its place.
  assertPolicy(!sends.has("mtls") || mtls !== undefined, `${path}.mtls`, "it, for its endpoints");
  const isOriginated = !sends.has("tls") || origination !== undefined;
  assertPolicy(isOriginated, `${path}.origination`, "it, for its endpoints");
  return {
    name: parseText(wire.name, nameLengthMax, `${path}.name`),
    addresses: wire.dns ? "dns" : "eds",
    isHttp2: wire.http2,
    protocol: protocols.parse(wire.protocol, `${path}.protocol`),
    mtls,
    origination,
    endpoints,
  };
}

function parseEndpoint(wire: WireEndpoint, path: string): OutboundEndpoint {
  const { port, weight } = wire;
  const address = parseText(wire.address, nameLengthMax, `${path}.address`);
  const sends = sendings.parse(wire.sends, `${path}.sends`);
  // A path has no port.
  if (address.startsWith(unixPrefix)) {
    assertPolicy(port <= 65_535, `${path}.port`, `a port or 0, got ${port}`);
  } else parsePort(port, `${path}.port`);
  return { address, port, weight, sends };
}

function parseMtls({ sni, sans }: MeshTls, path: string): OutboundCluster["mtls"] {
  return { sni: parseSni(sni, `${path}.sni`), sans: parseSans(sans, `${path}.sans`) };
}
