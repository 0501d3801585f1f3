/** The application behind an inbound port. Neither its address nor its mode is in it, so that one is for many workloads of a node. */

import {
  Cluster_DiscoveryType as DiscoveryType,
  ClusterSchema,
} from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { InboundPort } from "../policy/proxy-policy.ts";
import { pipeAddress, socketAddress } from "./address.ts";
import { clusterDefaults, protocolOptions, type ClusterProtocol } from "./cluster-defaults.ts";
import { configResource, type ConfigResource } from "./config-resource.ts";
import { Recent } from "./recent.ts";

export function appClusterName(port: number): string {
  return `inbound|${port}`;
}

type App = Pick<InboundPort, "port" | "protocol" | "isHttp2" | "app">;

const recent = new Recent<ConfigResource>(256);

export function appCluster({ port, protocol, isHttp2, app }: InboundPort): ConfigResource {
  const of: App = { port, protocol, isHttp2, app };
  return recent.of(JSON.stringify(of), () => render(of));
}

function render(of: App): ConfigResource {
  const { port, app } = of;
  const name = appClusterName(port);
  const address = app.kind === "unix" ? pipeAddress(app.path) : socketAddress(app.host, app.port);
  const lbEndpoint = { hostIdentifier: { case: "endpoint", value: { address } } } as const;
  return configResource(ClusterSchema, name, {
    ...clusterDefaults,
    name,
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [lbEndpoint] }] },
    typedExtensionProtocolOptions: protocolOptions(protocolOf(of)),
  });
}

/** A caller may choose HTTP/2 in his handshake; an application that is said to speak HTTP/1.1 never sees it. */
function protocolOf({ protocol, isHttp2 }: App): ClusterProtocol {
  if (protocol === "tcp") return "tcp";
  if (isHttp2) return "http2";
  return protocol === "auto" ? "as-called" : "http1";
}
