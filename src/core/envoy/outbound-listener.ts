/** The listener where a workload's own application finds other services: to one of them for TCP, by the request's host for HTTP. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../gen/envoy/config/core/v3/base_pb.ts";
import {
  ListenerSchema,
  type FilterSchema,
} from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import type { OutboundPort, OutboundRoute } from "../policy/proxy-policy.ts";
import { listenAddress } from "./address.ts";
import { configResource, type ConfigResource } from "./config-resource.ts";
import { forwardingRoute, httpManager, type VirtualHost } from "./http-manager.ts";
import { tcpProxy } from "./tcp-proxy.ts";

type FilterInit = MessageInitShape<typeof FilterSchema>;

export function outboundListener(outbound: OutboundPort): ConfigResource {
  const { bind, port } = outbound;
  const name = `outbound_${bind}_${port}`;
  return configResource(ListenerSchema, name, {
    name,
    statPrefix: name,
    address: listenAddress(bind, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    filterChains: [{ name: outbound.protocol, filters: [filter(name, outbound)] }],
  });
}

function filter(statPrefix: string, { protocol, routes }: OutboundPort): FilterInit {
  const [first] = routes;
  if (protocol === "tcp" && first !== undefined) {
    return tcpProxy({ statPrefix, cluster: first.cluster, awaitsTls: false, logsBegin: false });
  }
  const virtualHosts = routes.map(virtualHost);
  return httpManager({ statPrefix, virtualHosts, saysWhoCalled: false, logsBegin: false });
}

/** Its name is its first domain, because no two virtual hosts have one in common. */
function virtualHost({ domains, cluster }: OutboundRoute): VirtualHost {
  return { name: domains[0] ?? cluster, domains: [...domains], routes: [forwardingRoute(cluster)] };
}
