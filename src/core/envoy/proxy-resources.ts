/** All that an Envoy gets over ADS but its secrets, out of what it is to do. The same policy gives the same octets. */

import { ClusterLoadAssignmentSchema } from "../../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import type { OutboundCluster, OutboundPort, ProxyPolicy } from "../policy/proxy-policy.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import { appCluster } from "./app-cluster.ts";
import { configResource, type ConfigResource } from "./config-resource.ts";
import { inboundListener } from "./inbound-listener.ts";
import { loadAssignment } from "./load-assignment.ts";
import { outboundCluster, type ClusterOptions } from "./outbound-cluster.ts";
import { outboundListener } from "./outbound-listener.ts";

export const listenerTypeUrl = "type.googleapis.com/envoy.config.listener.v3.Listener";
export const clusterTypeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const endpointTypeUrl = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

export interface ProxyResourcesOptions {
  readonly trustDomain: TrustDomain;
  /**
   * Of the machine where Envoy runs, PEM: whom it believes outside of the mesh where a rule names no file. Envoy refuses a cluster
   * whose file is not there. @default that of Debian and Alpine
   */
  readonly systemRootsFile?: string;
}

export interface ProxyResources {
  readonly listeners: readonly ConfigResource[];
  readonly clusters: readonly ConfigResource[];
  /** One for each cluster whose addresses Envoy is told. */
  readonly endpoints: readonly ConfigResource[];
}

export function proxyResources(
  { inbound, outbound, clusters }: ProxyPolicy,
  options: ProxyResourcesOptions,
): ProxyResources {
  const { trustDomain, systemRootsFile = "/etc/ssl/certs/ca-certificates.crt" } = options;
  const called = clusters.map((each) => calledOf(each, { trustDomain, systemRootsFile }));
  return {
    listeners: [
      ...inbound.map((port) => inboundListener(port, trustDomain)),
      ...outbound.map(listenerOf),
    ],
    clusters: [...inbound.map(appCluster), ...called.map(({ cluster }) => cluster)],
    endpoints: called.flatMap(({ endpoints }) => endpoints ?? []),
  };
}

interface Called extends ClusterOptions {
  readonly cluster: ConfigResource;
  readonly endpoints: ConfigResource | undefined;
}

/** Most of a policy stays when it changes, and many proxies of a node call the same: that is rendered once. */
const calledByCluster = new WeakMap<OutboundCluster, Called>();
const listenersByPort = new WeakMap<OutboundPort, ConfigResource>();

function calledOf(cluster: OutboundCluster, options: ClusterOptions): Called {
  const known = calledByCluster.get(cluster);
  const { trustDomain, systemRootsFile } = options;
  const isFor = known?.trustDomain.name === trustDomain.name;
  if (known !== undefined && isFor && known.systemRootsFile === systemRootsFile) return known;
  const endpoints =
    cluster.addresses === "eds"
      ? configResource(ClusterLoadAssignmentSchema, cluster.name, loadAssignment(cluster))
      : undefined;
  const called = { ...options, cluster: outboundCluster(cluster, options), endpoints };
  calledByCluster.set(cluster, called);
  return called;
}

function listenerOf(port: OutboundPort): ConfigResource {
  const listener = listenersByPort.get(port) ?? outboundListener(port);
  listenersByPort.set(port, listener);
  return listener;
}
