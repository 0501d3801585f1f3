/** What a proxy may still send to a socket that it is not to send there: what has to end before the port may refuse it. */

import type { OutboundCluster } from "./proxy-policy.ts";
import { kindOf, otherKind, type Kind } from "./rollout-kinds.ts";
import { possiblePolicies, type ProxyState } from "./rollout-proxy.ts";
import { SocketMap, type Socket } from "./rollout-sockets.ts";

export type OnLingering = (socket: Socket, kind: Kind, isKnown: boolean) => void;

/** Tells each as often as it is found: in each policy that may be in force, and under each name of a service. */
export function eachLingering(state: ProxyState, on: OnLingering): void {
  const { desired, applied, hasListeners } = state;
  if (hasListeners === false) return;
  if (applied === undefined) {
    for (const cluster of desired?.clusters ?? []) unknown(cluster, on);
    return;
  }
  for (const policy of possiblePolicies(state)) {
    if (policy.clusters === desired?.clusters) continue;
    const wanted = new Map(desired?.clusters.map((each) => [each.name, each]));
    for (const cluster of policy.clusters) known(cluster, wanted.get(cluster.name), on);
  }
}

/** It may send anything, and is to send one kind. */
function unknown({ endpoints }: OutboundCluster, on: OnLingering): void {
  for (const each of endpoints) on(each, otherKind(kindOf(each.sends)), false);
}

function known(
  cluster: OutboundCluster,
  wanted: OutboundCluster | undefined,
  on: OnLingering,
): void {
  if (cluster === wanted) return;
  const kinds = new SocketMap<Kind>();
  for (const { address, port, sends } of wanted?.endpoints ?? []) {
    kinds.set(address, port, kindOf(sends));
  }
  for (const each of cluster.endpoints) {
    const kind = kindOf(each.sends);
    if (kinds.get(each.address, each.port) !== kind) on(each, kind, true);
  }
}
