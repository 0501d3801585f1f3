/** What the agent's open SDS streams prove, by proxy: the value that goes to the server's roll. */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { ProxyEvidence, SubscriptionEvidence } from "../../core/roll/evidence.ts";
import type { Subscription } from "../../core/xds/subscription.ts";
import type { SdsStream } from "./sds-service.ts";

/** Streams that have not said who they are prove nothing for anybody. */
export function proxyEvidence(streams: Iterable<SdsStream>): Map<string, ProxyEvidence> {
  const proxies = new Map<string, SubscriptionEvidence[]>();
  for (const { id, subscriber } of streams) {
    const { node, subscriptions } = subscriber;
    if (node === undefined || node.id === "") continue;
    const known = proxies.get(node.id) ?? [];
    proxies.set(node.id, known);
    for (const [name, subscription] of subscriptions) {
      known.push(subscriptionEvidence(id, name, subscription));
    }
  }
  return new Map(
    [...proxies].map(([proxyId, subscriptions]) => [proxyId, { proxyId, subscriptions }]),
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
    ...(nack && { nack }),
  };
}
