/** Parts of a ProxyPolicy for tests: everybody on loopback, one service for each inbound port. */

import type {
  AppAddress,
  InboundPort,
  InboundProtocol,
  OutboundCluster,
  OutboundPort,
  Sending,
} from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { serverId } from "./certificates.ts";

const bind = "127.0.0.1";

export function inboundPort(
  port: number,
  protocol: InboundProtocol,
  mode: ServerMode,
  app: AppAddress,
): InboundPort {
  return { port, bind, protocol, isHttp2: false, app, mode };
}

const host = "server.shop.svc";

export function clusterName({ port }: { readonly port: number }): string {
  return `outbound|${port}||${host}`;
}

/** Of the service that is behind an inbound port. */
export function meshCluster(
  { port }: { readonly port: number },
  protocol: "tcp" | "http",
  sends: Sending = "mtls",
): OutboundCluster {
  return {
    name: clusterName({ port }),
    addresses: "eds",
    isHttp2: false,
    protocol,
    mtls: sends === "mtls" ? { sni: `outbound_.${port}_._.${host}`, sans: [serverId] } : undefined,
    origination: undefined,
    endpoints: [{ address: bind, port, weight: 1, sends }],
  };
}

export function outboundPort(
  port: number,
  protocol: "tcp" | "http",
  to: { readonly port: number },
): OutboundPort {
  const domains = protocol === "http" ? ["*"] : [];
  return { bind, port, protocol, routes: [{ domains, cluster: clusterName(to) }] };
}
