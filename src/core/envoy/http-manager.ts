/**
 * HTTP between a port and its application: passed on as it is, but for the header that says who called. Nothing here ends a stream by
 * the clock.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RouteSchema, VirtualHostSchema } from "../../gen/envoy/config/route/v3/route_pb.ts";
import type { FilterSchema } from "../../gen/envoy/config/listener/v3/listener_pb.ts";
import { RouterSchema } from "../../gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import {
  HttpConnectionManager_ForwardClientCertDetails as ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
  HttpConnectionManagerSchema,
} from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { seconds, typedConfig } from "./extension.ts";

type FilterInit = MessageInitShape<typeof FilterSchema>;
type Route = MessageInitShape<typeof RouteSchema>;
export type VirtualHost = MessageInitShape<typeof VirtualHostSchema>;

export interface HttpManagerOptions {
  readonly statPrefix: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** In `x-forwarded-client-cert`, where the caller has a certificate. What came there is removed in any case: Envoy's default. */
  readonly saysWhoCalled: boolean;
}

export function httpManager(options: HttpManagerOptions): FilterInit {
  const { statPrefix, virtualHosts, saysWhoCalled } = options;
  const configType = typedConfig(HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: {
      case: "routeConfig",
      value: { name: statPrefix, virtualHosts: [...virtualHosts] },
    },
    httpFilters: [router],
    httpProtocolOptions: { acceptHttp10: true },
    // A sidecar is no edge: `x-forwarded-for` is the business of whoever stands there.
    useRemoteAddress: false,
    ...(saysWhoCalled && {
      forwardClientCertDetails: ForwardClientCertDetails.SANITIZE_SET,
      setCurrentClientCertDetails: { subject: true, uri: true },
    }),
    upgradeConfigs: [{ upgradeType: "websocket" }],
    streamIdleTimeout: seconds(0),
    normalizePath: true,
    serverHeaderTransformation: ServerHeader.PASS_THROUGH,
  });
  return { name: "envoy.filters.network.http_connection_manager", configType };
}

/** Everything goes to `cluster`. */
export function forwardingRoute(cluster: string): Route {
  return {
    match: everything,
    action: {
      case: "route",
      value: {
        clusterSpecifier: { case: "cluster", value: cluster },
        timeout: seconds(0),
        // Only what the other side cannot have begun to do.
        retryPolicy: {
          retryOn: "connect-failure,refused-stream,reset-before-request",
          numRetries: 2,
        },
      },
    },
  };
}

/** Everything is answered here. */
export function answeringRoute(status: number): Route {
  return { match: everything, action: { case: "directResponse", value: { status } } };
}

const everything = { pathSpecifier: { case: "prefix", value: "/" } } as const;

const router = {
  name: "envoy.filters.http.router",
  configType: typedConfig(RouterSchema, { suppressEnvoyHeaders: true }),
};
