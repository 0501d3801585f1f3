/** What the agent's open SDS streams prove, by proxy: the value that goes to the server's roll. */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { ProxyEvidence, SubscriptionEvidence } from "../../core/roll/evidence.ts";
import type { Subscription } from "../../core/xds/subscription.ts";
import type { SdsStream } from "./sds-service.ts";

/** The server ends the stream of an agent that says more; no proxy of ours needs so much. */
const nodeIdLengthMax = 1_024;
const subscriptionsPerProxyMax = 64;
const detailLengthMax = 256;

/**
 * Streams that have not said who they are prove nothing for anybody, nor do names that nobody
 * answers.
 */
export function proxyEvidence(streams: Iterable<SdsStream>): Map<string, ProxyEvidence> {
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
  return new Map(
    [...proxies].map(([proxyId, subscriptions]) => {
      const told = subscriptions.toSorted(worstFirst).slice(0, subscriptionsPerProxyMax);
      return [proxyId, { proxyId, subscriptions: told }];
    }),
  );
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

/** What is left out must never make a proxy look better than it is. */
function worstFirst(a: SubscriptionEvidence, b: SubscriptionEvidence): number {
  return goodness(a) - goodness(b);
}

function goodness({ acked, nack }: SubscriptionEvidence): number {
  if (nack !== undefined) return 0;
  return acked === undefined ? 1 : 2;
}
