/**
 * The listener of an inbound port. Of what stands here only the chains of `inboundChains` change with the mode: a change of anything
 * else, the listener filters included, would drain every connection of the port.
 */

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
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
import { encodedResource, type ConfigResource } from "./config-resource.ts";
import { endLog } from "./connection-log.ts";
import { seconds, typedConfig } from "./extension.ts";
import { forwardingRoute, httpManager } from "./http-manager.ts";
import { inboundChains, type InboundChain } from "./inbound-chains.ts";
import { meshServerSocket, workloadMatcher } from "./mesh-tls.ts";
import { Recent } from "./recent.ts";
import { tcpProxy } from "./tcp-proxy.ts";

type FilterChainInit = MessageInitShape<typeof FilterChainSchema>;
type FilterInit = MessageInitShape<typeof FilterSchema>;

export function inboundListener(inbound: InboundPort, trustDomain: TrustDomain): ConfigResource {
  const name = inboundName(inbound.port);
  return encodedResource(name, Buffer.concat([frame(name, inbound), chains(inbound, trustDomain)]));
}

/** All that a change of mode leaves as it is. */
function frame(name: string, { port, bind, protocol }: InboundPort): Uint8Array {
  return octetsOf({
    name,
    statPrefix: name,
    address: listenAddress(bind, port),
    listenerFilters: [tlsInspector, ...(protocol === "auto" ? [httpInspector] : [])],
    listenerFiltersTimeout: seconds(protocol === "http" ? silentHttpSeconds : silentSeconds),
    continueOnListenerFiltersTimeout: true,
    trafficDirection: TrafficDirection.INBOUND,
    accessLog: [endLog],
  });
}

/** Most of the octets, and the same on each address: the workloads of a node have one each, and few kinds of ports. */
const recentChains = new Recent<Uint8Array>(256);

function chains(inbound: ChainsOf, trustDomain: TrustDomain): Uint8Array {
  const { port, protocol, mode } = inbound;
  return recentChains.of(`${trustDomain.name} ${port} ${protocol} ${mode}`, () =>
    octetsOf({
      filterChains: [
        ...inboundChains(mode, protocol).map((chain) => filterChain(inbound, chain, trustDomain)),
        canaryChain(port, trustDomain),
      ],
    }),
  );
}

function octetsOf(init: MessageInitShape<typeof ListenerSchema>): Uint8Array {
  return toBinary(ListenerSchema, create(ListenerSchema, init));
}

/**
 * How long a caller may be silent before he passes for one who speaks no TLS. Where the server speaks first, plaintext callers wait it
 * out with each connection; who speaks TLS does so at once, but may lose a packet.
 */
const silentSeconds = 1;

/** HTTP's callers speak first: there is nobody to keep waiting. */
const silentHttpSeconds = 15;

/** What the chains are made of. */
type ChainsOf = Pick<InboundPort, "port" | "protocol" | "mode">;

function filterChain(
  inbound: ChainsOf,
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
  { port, protocol }: ChainsOf,
  { name, filter, endsTls }: InboundChain,
): FilterInit[] {
  const statPrefix = chainStatPrefix(port, name);
  const cluster = appClusterName(port);
  if (filter === "tcp") {
    const proxy = { statPrefix, cluster, awaitsTls: endsTls, logsBegin: !endsTls };
    return [connectionCount(statPrefix), tcpProxy(proxy)];
  }
  const virtualHosts = [{ name: "app", domains: ["*"], routes: [forwardingRoute(cluster)] }];
  // A port that also passes on octets gives no name: the next caller could write one, and nobody would see the difference.
  const saysWhoCalled = protocol === "http";
  return [httpManager({ statPrefix, virtualHosts, saysWhoCalled, logsBegin: !endsTls })];
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
