/** What all clusters have, and the protocol that they speak. */

import { HttpProtocolOptionsSchema } from "../../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ClusterSchema } from "../../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { packed, seconds } from "./extension.ts";

/** "as-called" is HTTP in the version in which the caller speaks it. */
export type ClusterProtocol = "tcp" | "http1" | "http2" | "as-called";

/** Of a cluster: fields to spread. */
export type ClusterPart = Omit<
  Extract<MessageInitShape<typeof ClusterSchema>, { readonly $typeName?: never }>,
  "$typeName"
>;

const unlimited = 2 ** 32 - 1;

/** Envoy's default of 1,024 connections and requests would refuse what the application can do. */
export const clusterDefaults: ClusterPart = {
  connectTimeout: seconds(5),
  circuitBreakers: {
    thresholds: [
      {
        maxConnections: unlimited,
        maxPendingRequests: unlimited,
        maxRequests: unlimited,
        maxRetries: unlimited,
      },
    ],
  },
};

const optionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

export function protocolOptions(protocol: ClusterProtocol): Record<string, Any> {
  if (protocol === "tcp") return {};
  return { [optionsKey]: options[protocol] };
}

const explicit = (name: "httpProtocolOptions" | "http2ProtocolOptions"): Any =>
  packed(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: { protocolConfig: { case: name, value: {} } },
    },
  });

const options: Readonly<Record<Exclude<ClusterProtocol, "tcp">, Any>> = {
  http1: explicit("httpProtocolOptions"),
  http2: explicit("http2ProtocolOptions"),
  "as-called": packed(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: "useDownstreamProtocolConfig",
      value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
    },
  }),
};
