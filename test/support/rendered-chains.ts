/** An inbound listener's filter chains, read back from the octets that Envoy gets. */

import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { inboundListener } from "../../src/core/envoy/inbound-listener.ts";
import type { InboundProtocol } from "../../src/core/policy/proxy-policy.ts";
import type { ServerMode } from "../../src/core/policy/server-mode.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { ListenerSchema } from "../../src/gen/envoy/config/listener/v3/listener_pb.ts";

export interface RenderedChain {
  readonly name: string;
  readonly serverNames: readonly string[];
  readonly transport: string;
  readonly alpn: readonly string[];
  readonly endsTls: boolean;
  readonly filter: "http" | "tcp";
}

/** What Envoy knows of a connection when it chooses. */
export interface Offer {
  readonly transport: string;
  readonly serverName?: string;
  /** What the client offers, or the HTTP inspector has found. */
  readonly alpn?: readonly string[];
}

/** Envoy's order for what differs here: the server name, the transport, then the ALPN, whoever names one first; it never goes back. */
export function chainFor(
  chains: readonly RenderedChain[],
  { transport, serverName = "", alpn = [] }: Offer,
): RenderedChain | undefined {
  const named = chains.filter(({ serverNames }) => serverNames.includes(serverName));
  const ofName = named.length > 0 ? named : chains.filter((each) => each.serverNames.length === 0);
  const fitting = ofName.filter((chain) => chain.transport === transport);
  return (
    fitting.find((chain) => chain.alpn.some((each) => alpn.includes(each))) ??
    fitting.find((chain) => chain.alpn.length === 0)
  );
}

const trustDomain = TrustDomain.parse("td.test");

export function renderedChains(mode: ServerMode, protocol: InboundProtocol): RenderedChain[] {
  const app = { kind: "ip", host: "127.0.0.1", port: 80 } as const;
  const inbound = { port: 8080, bind: "0.0.0.0", protocol, isHttp2: false, app, mode } as const;
  const { body } = inboundListener(inbound, trustDomain);
  return fromBinary(ListenerSchema, body).filterChains.map((chain) => {
    const { name, filterChainMatch: match, filters, transportSocket } = chain;
    assert(match);
    const last = filters.at(-1)?.name;
    assert.ok(last === http || last === "envoy.filters.network.tcp_proxy");
    return {
      name,
      serverNames: match.serverNames,
      transport: match.transportProtocol,
      alpn: match.applicationProtocols,
      endsTls: transportSocket !== undefined,
      filter: last === http ? "http" : "tcp",
    };
  });
}

const http = "envoy.filters.network.http_connection_manager";
