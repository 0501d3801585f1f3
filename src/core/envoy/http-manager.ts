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
import { requestBeginLog } from "./connection-log.ts";
import { seconds, typedConfig } from "./extension.ts";

type FilterInit = MessageInitShape<typeof FilterSchema>;
type Route = MessageInitShape<typeof RouteSchema>;
export type VirtualHost = MessageInitShape<typeof VirtualHostSchema>;

export interface HttpManagerOptions {
  readonly statPrefix: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** In `x-forwarded-client-cert`, where the caller has a certificate. What came there is removed in any case. */
  readonly saysWhoCalled: boolean;
  /** Tells the agent of each request when it begins, and so of the connection. */
  readonly logsBegin: boolean;
}

export function httpManager(options: HttpManagerOptions): FilterInit {
  const { statPrefix, virtualHosts, saysWhoCalled, logsBegin } = options;
  const configType = typedConfig(HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: {
      case: "routeConfig",
      value: {
        name: statPrefix,
        virtualHosts: [...virtualHosts],
        requestHeadersToRemove: [...twinsOfWhoCalled],
      },
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
    ...(logsBegin && {
      accessLogOptions: { flushAccessLogOnNewRequest: true },
      accessLog: [requestBeginLog],
    }),
  });
  return { name: managerName, configType };
}

/**
 * Answers every request by itself, and says no more than it must: Envoy goes through all chains of a listener, and what is in them, with
 * each change of one.
 */
export function answeringManager(statPrefix: string, status: number): FilterInit {
  const action = { case: "directResponse", value: { status } } as const;
  const virtualHosts = [{ name: "all", domains: ["*"], routes: [{ match: everything, action }] }];
  const configType = typedConfig(HttpConnectionManagerSchema, {
    statPrefix,
    routeSpecifier: { case: "routeConfig", value: { virtualHosts } },
    httpFilters: [bareRouter],
  });
  return { name: managerName, configType };
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

/** Envoy's default removes `x-forwarded-client-cert` as it is spelt; for CGI (RFC 3875, 4.1.18) and WSGI these are the same. */
const twinsOfWhoCalled = ["_", "-"].flatMap((a) =>
  ["_", "-"].flatMap((b) =>
    ["_", "-"].flatMap((c) => (a + b + c === "---" ? [] : [`x${a}forwarded${b}client${c}cert`])),
  ),
);

const everything = { pathSpecifier: { case: "prefix", value: "/" } } as const;

const managerName = "envoy.filters.network.http_connection_manager";
const routerName = "envoy.filters.http.router";
const bareRouter = { name: routerName, configType: typedConfig(RouterSchema, {}) };
const router = {
  name: routerName,
  configType: typedConfig(RouterSchema, { suppressEnvoyHeaders: true }),
};
