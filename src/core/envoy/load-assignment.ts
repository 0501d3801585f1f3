/**
 * The endpoints of a cluster, and what each is sent. The locality's sub-zone says it once more: Envoy goes on with the pooled
 * connections of an endpoint of which only the metadata has changed, but not with those of one that has moved.
 */

import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import type {
  ClusterLoadAssignmentSchema,
  LocalityLbEndpointsSchema,
} from "../../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { OutboundCluster, OutboundEndpoint, Sending } from "../policy/proxy-policy.ts";
import { pipeAddress, socketAddress } from "./address.ts";

type LocalityInit = MessageInitShape<typeof LocalityLbEndpointsSchema>;

/** Istio's values of `tlsMode`, and one for TLS that is not the mesh's. */
const tlsModes: Readonly<Record<Sending, string>> = {
  plaintext: "disabled",
  mtls: "istio",
  tls: "origination",
};

/** What `transport_socket_matches` look for. */
export function tlsModeMatch(sending: Sending): JsonObject {
  return { tlsMode: tlsModes[sending] };
}

export function loadAssignment(
  cluster: OutboundCluster,
): MessageInitShape<typeof ClusterLoadAssignmentSchema> {
  const { name, endpoints } = cluster;
  const reachable = endpoints.filter(({ sends }) => canSend(cluster, sends));
  const bySending = Map.groupBy(reachable, ({ sends }) => sends);
  return { clusterName: name, endpoints: [...bySending].map(locality) };
}

/** Not TLS of which nothing is said: Envoy would find no socket for it, and send plaintext. */
function canSend({ mtls, origination }: OutboundCluster, sending: Sending): boolean {
  if (sending === "plaintext") return true;
  return (sending === "mtls" ? mtls : origination) !== undefined;
}

function locality([sending, endpoints]: readonly [
  Sending,
  readonly OutboundEndpoint[],
]): LocalityInit {
  const metadata = { filterMetadata: { "envoy.transport_socket_match": tlsModeMatch(sending) } };
  return {
    locality: { subZone: tlsModes[sending] },
    lbEndpoints: endpoints.map(({ address, port, weight }) => ({
      hostIdentifier: { case: "endpoint", value: { address: addressOf(address, port) } },
      metadata,
      loadBalancingWeight: Math.max(weight, 1),
    })),
  };
}

const unixScheme = "unix://";

function addressOf(address: string, port: number): ReturnType<typeof socketAddress> {
  return address.startsWith(unixScheme)
    ? pipeAddress(address.slice(unixScheme.length))
    : socketAddress(address, port);
}
