/** What a client was told of a cluster: in all policies of which something may be in force, the newest of each. */

import type { OutboundCluster, OutboundEndpoint } from "./proxy-policy.ts";
import { possiblePolicies, type ProxyState } from "./rollout-proxy.ts";
import { SocketMap } from "./rollout-sockets.ts";

export interface HadCluster extends Pick<OutboundCluster, "mtls" | "origination"> {
  readonly endpoints: SocketMap<OutboundEndpoint>;
  /** Those that it is to have no more, by port. */
  readonly left: ReadonlyMap<number, readonly OutboundEndpoint[]>;
}

export function hadCluster(
  state: ProxyState,
  { name, endpoints: wanted }: OutboundCluster,
): HadCluster {
  const endpoints = new SocketMap<OutboundEndpoint>();
  let [mtls, origination]: [OutboundCluster["mtls"], OutboundCluster["origination"]] = [
    undefined,
    undefined,
  ];
  for (const { clusters } of possiblePolicies(state)) {
    const cluster = clusters.find((each) => each.name === name);
    for (const each of cluster?.endpoints ?? []) endpoints.set(each.address, each.port, each);
    mtls = cluster?.mtls ?? mtls;
    origination = cluster?.origination ?? origination;
  }
  const stays = new SocketMap<true>();
  for (const { address, port } of wanted) stays.set(address, port, true);
  const left = [...endpoints.values()].filter(({ address, port }) => !stays.get(address, port));
  return { endpoints, mtls, origination, left: Map.groupBy(left, ({ port }) => port) };
}
