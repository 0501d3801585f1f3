/** A service that a workload calls: how it is reached, and the transport sockets from which each endpoint's metadata chooses. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
  Cluster_LbPolicy as LbPolicy,
  ClusterSchema,
  type Cluster_TransportSocketMatchSchema,
} from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { RawBufferSchema } from "../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import type { OutboundCluster } from "../policy/proxy-policy.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { adsSource } from "./ads-source.ts";
import {
  clusterDefaults,
  protocolOptions,
  type ClusterPart,
  type ClusterProtocol,
} from "./cluster-defaults.ts";
import { configResource, type ConfigResource } from "./config-resource.ts";
import { typedConfig } from "./extension.ts";
import { loadAssignment, tlsModeMatch } from "./load-assignment.ts";
import { meshClientSocket, workloadMatcher } from "./mesh-tls.ts";
import { originationSocket, sanMatcher } from "./origination-tls.ts";

type SocketMatch = MessageInitShape<typeof Cluster_TransportSocketMatchSchema>;

export interface ClusterOptions {
  readonly trustDomain: TrustDomain;
  readonly systemRootsFile: string;
}

export function outboundCluster(cluster: OutboundCluster, options: ClusterOptions): ConfigResource {
  const { name } = cluster;
  return configResource(ClusterSchema, name, {
    ...clusterDefaults,
    name,
    lbPolicy: LbPolicy.LEAST_REQUEST,
    ...addresses(cluster),
    transportSocketMatches: socketMatches(cluster, options),
    typedExtensionProtocolOptions: protocolOptions(protocolOf(cluster)),
  });
}

function addresses(cluster: OutboundCluster): ClusterPart {
  if (cluster.addresses === "eds") {
    return {
      clusterDiscoveryType: { case: "type", value: DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: adsSource },
    };
  }
  return {
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STRICT_DNS },
    dnsLookupFamily: DnsLookupFamily.ALL,
    loadAssignment: loadAssignment(cluster),
  };
}

/** The first that matches is taken, and the last one matches everything. */
function socketMatches(cluster: OutboundCluster, options: ClusterOptions): SocketMatch[] {
  const { name, mtls, origination } = cluster;
  const protocol = protocolOf(cluster);
  const matches: SocketMatch[] = [];
  if (mtls !== undefined) {
    const sans = mtls.sans.map(sanMatcher);
    const peers = sans.length > 0 ? sans : [workloadMatcher(options.trustDomain)];
    const transportSocket = meshClientSocket({ sni: mtls.sni, peers, alpn: meshAlpn[protocol] });
    matches.push({ name: "tlsMode-istio", match: tlsModeMatch("mtls"), transportSocket });
  }
  if (origination !== undefined) {
    const { systemRootsFile } = options;
    const of = { tls: origination, host: hostOf(name), alpn: webAlpn[protocol], systemRootsFile };
    const transportSocket = originationSocket(of);
    matches.push({ name: "tlsMode-origination", match: tlsModeMatch("tls"), transportSocket });
  }
  return [...matches, { name: "tlsMode-disabled", match: {}, transportSocket: rawBuffer }];
}

type OutboundProtocol = Exclude<ClusterProtocol, "as-called">;

function protocolOf({ protocol, isHttp2 }: OutboundCluster): OutboundProtocol {
  if (protocol === "tcp") return "tcp";
  return isHttp2 ? "http2" : "http1";
}

/**
 * Istio's names, by which a permissive server knows its peers, then the web's, of which the server chooses: `h2` only from who speaks
 * nothing else. `istio-peer-exchange` is not offered, because Istio's servers would send and expect metadata before the application's
 * first octet.
 */
const meshAlpn: Readonly<Record<OutboundProtocol, readonly string[]>> = {
  tcp: ["istio"],
  http1: ["istio-http/1.1", "istio", "http/1.1"],
  http2: ["istio-h2", "istio", "h2"],
};

const webAlpn: Readonly<Record<OutboundProtocol, readonly string[]>> = {
  tcp: [],
  http1: ["http/1.1"],
  http2: ["h2"],
};

/** `outbound|PORT|SUBSET|HOST` */
function hostOf(clusterName: string): string {
  return clusterName.split("|").slice(3).join("|");
}

const rawBuffer = {
  name: "envoy.transport_sockets.raw_buffer",
  configType: typedConfig(RawBufferSchema, {}),
};
