/** What the agent's open SDS streams prove, by proxy: the value that goes to the server's roll. */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import {
  proxyKey,
  type ProxyEvidence,
  type SubscriptionEvidence,
} from "../../core/roll/evidence.ts";
import type { Subscription } from "../../core/xds/subscription.ts";
import type { SecretStream } from "./secret-channel.ts";

/** The server ends the stream of an agent that says more; no proxy of ours needs so much. */
export const nodeIdLengthMax = 1_024;
const subscriptionsPerProxyMax = 64;
const detailLengthMax = 256;

/**
 * Streams that have not said who they are prove nothing for anybody, nor do names that nobody
 * answers.
 *
 * @param spiffeId that the streams' token was of, at a node agent
 * @returns by `proxyKey`
 */
export function proxyEvidence(
  streams: Iterable<SecretStream>,
  spiffeId?: string,
): Map<string, ProxyEvidence> {
  const proxies = new Map<string, SubscriptionEvidence[]>();
  for (const { id, subscriber } of streams) {
    const { node, snapshot } = subscriber;
    if (node === undefined || node.id === "" || node.id.length > nodeIdLengthMax) continue;
    const known = proxies.get(node.id) ?? [];
    proxies.set(node.id, known);
    for (const [name, subscription] of subscriber.subscriptions) {
      if (!snapshot.resources.has(name) && !snapshot.pending.has(name)) continue;
      known.push(subscriptionEvidence(id, name, subscription));
    }
  }
  const all = Array.from(proxies, ([proxyId, subscriptions]): ProxyEvidence => {
    return { proxyId, ...(spiffeId !== undefined && { spiffeId }), ...told(subscriptions) };
  });
  return new Map(all.map((proxy) => [proxyKey(proxy), proxy]));
}

/** Two pods of one identity that call their proxies the same: as one proxy, they are as good as the worse of them. */
export function mergeProxies(one: ProxyEvidence, other: ProxyEvidence): ProxyEvidence {
  return withSubscriptions(one, other.subscriptions);
}

export function withSubscriptions(
  proxy: ProxyEvidence,
  more: readonly SubscriptionEvidence[],
): ProxyEvidence {
  return { ...proxy, ...told([...proxy.subscriptions, ...more]) };
}

/** What is left out must never make a proxy look better than it is. */
function told(all: readonly SubscriptionEvidence[]): Pick<ProxyEvidence, "subscriptions"> {
  return { subscriptions: all.toSorted(worstFirst).slice(0, subscriptionsPerProxyMax) };
}

function subscriptionEvidence(
  streamId: bigint,
  resourceName: string,
  { acked, nack }: Subscription<SecretEvidence>,
): SubscriptionEvidence {
  return {
    streamId,
    resourceName,
    ...(acked && { acked: { ...acked.evidence, atMs: acked.atMs } }),
    ...(nack && { nack: { ...nack, detail: nack.detail.slice(0, detailLengthMax) } }),
  };
}

function worstFirst(a: SubscriptionEvidence, b: SubscriptionEvidence): number {
  return goodness(a) - goodness(b);
}

function goodness({ acked, nack }: SubscriptionEvidence): number {
  if (nack !== undefined) return 0;
  return acked === undefined ? 1 : 2;
}
