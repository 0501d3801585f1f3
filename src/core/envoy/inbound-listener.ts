/**
 * The listener of an inbound port. Of what stands here only the chains of `inboundChains` change with the mode: a change of anything
 * else, the listener filters included, would drain every connection of the port.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../gen/envoy/config/core/v3/base_pb.ts";
import {
  ListenerSchema,
  type FilterChainSchema,
  type FilterSchema,
} from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import { HttpInspectorSchema } from "../../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { TlsInspectorSchema } from "../../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { ConnectionLimitSchema } from "../../gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts";
import type { InboundPort } from "../policy/proxy-policy.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { listenAddress } from "./address.ts";
import { appClusterName } from "./app-cluster.ts";
import { canaryChain } from "./canary-chain.ts";
import { chainStatPrefix, inboundName } from "./chain-stats.ts";
import { configResource, type ConfigResource } from "./config-resource.ts";
import { seconds, typedConfig } from "./extension.ts";
import { forwardingRoute, httpManager } from "./http-manager.ts";
import { inboundChains, type InboundChain } from "./inbound-chains.ts";
import { meshServerSocket, workloadMatcher } from "./mesh-tls.ts";
import { tcpProxy } from "./tcp-proxy.ts";

type FilterChainInit = MessageInitShape<typeof FilterChainSchema>;
type FilterInit = MessageInitShape<typeof FilterSchema>;

export function inboundListener(inbound: InboundPort, trustDomain: TrustDomain): ConfigResource {
  const { port, bind, protocol, mode } = inbound;
  const name = inboundName(port);
  return configResource(ListenerSchema, name, {
    name,
    statPrefix: name,
    address: listenAddress(bind, port),
    listenerFilters: [tlsInspector, ...(protocol === "auto" ? [httpInspector] : [])],
    listenerFiltersTimeout: seconds(protocol === "http" ? silentHttpSeconds : silentSeconds),
    continueOnListenerFiltersTimeout: true,
    trafficDirection: TrafficDirection.INBOUND,
    filterChains: [
      ...inboundChains(mode, protocol).map((chain) => filterChain(inbound, chain, trustDomain)),
      canaryChain(port, trustDomain),
    ],
  });
}

/**
 * How long a caller may be silent before he passes for one who speaks no TLS. Where the server speaks first, plaintext callers wait it
 * out with each connection; who speaks TLS does so at once, but may lose a packet.
 */
const silentSeconds = 1;

/** HTTP's callers speak first: there is nobody to keep waiting. */
const silentHttpSeconds = 15;

function filterChain(
  inbound: InboundPort,
  chain: InboundChain,
  trustDomain: TrustDomain,
): FilterChainInit {
  const { name, transport, alpn, endsTls } = chain;
  return {
    name,
    filterChainMatch: { transportProtocol: transport, applicationProtocols: [...alpn] },
    filters: filters(inbound, chain),
    ...(endsTls && {
      transportSocket: meshServerSocket(workloadMatcher(trustDomain)),
      transportSocketConnectTimeout: seconds(10),
    }),
  };
}

function filters(
  { port, protocol }: InboundPort,
  { name, filter, endsTls }: InboundChain,
): FilterInit[] {
  const statPrefix = chainStatPrefix(port, name);
  const cluster = appClusterName(port);
  if (filter === "tcp") {
    return [connectionCount(statPrefix), tcpProxy(statPrefix, cluster, endsTls)];
  }
  const virtualHosts = [{ name: "app", domains: ["*"], routes: [forwardingRoute(cluster)] }];
  // A port that also passes on octets gives no name: the next caller could write one, and nobody would see the difference.
  return [httpManager({ statPrefix, virtualHosts, saysWhoCalled: protocol === "http" })];
}

/** A limit beyond all ports of all callers: it is there to count. */
function connectionCount(statPrefix: string): FilterInit {
  const configType = typedConfig(ConnectionLimitSchema, { statPrefix, maxConnections: 2n ** 53n });
  return { name: "envoy.filters.network.connection_limit", configType };
}

const tlsInspector = {
  name: "envoy.filters.listener.tls_inspector",
  configType: typedConfig(TlsInspectorSchema, {}),
};

const httpInspector = {
  name: "envoy.filters.listener.http_inspector",
  configType: typedConfig(HttpInspectorSchema, {}),
};
