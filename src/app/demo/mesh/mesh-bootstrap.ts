/**
 * Envoy's bootstrap for one of many workloads that all call each other over HTTP. Each answer says in its headers who the
 * two Envoys took each other for, so that a handshake is known by both of its certificates. A call is a new TLS connection:
 * nothing is kept, resumed or tried again.
 */

import {
  downstreamTls,
  sdsCluster,
  sdsService,
  upstreamTls,
  type EnvoyObject,
  type SdsCredential,
} from "../../../core/envoy/tls-context.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";

export interface MemberAddress {
  readonly name: string;
  readonly id: SpiffeId;
  /** On loopback, mTLS. */
  readonly port: number;
}

export interface MeshBootstrapOptions {
  readonly own: MemberAddress;
  /** Whom it may call. */
  readonly peers: readonly MemberAddress[];
  readonly sdsSocketPath: string;
  readonly sdsCredential: SdsCredential;
  readonly adminSocketPath: string;
  /** Takes plaintext: the host of a request is the name of the one to be called. */
  readonly callSocketPath: string;
}

/** Headers of an answer. */
export const seenBy = {
  /** What the callee's Envoy saw of the caller. */
  callerSerial: "x-caller-serial",
  callerIssuer: "x-caller-issuer",
  /** What the caller's Envoy saw of the callee. */
  calleeIssuer: "x-callee-issuer",
} as const;

export function meshBootstrap(options: MeshBootstrapOptions): EnvoyObject {
  const { own, peers, adminSocketPath, callSocketPath, sdsSocketPath } = options;
  const sds = sdsService(sdsSocketPath, options.sdsCredential);
  return {
    node: { id: own.name, cluster: "mesh" },
    admin: { address: { pipe: { path: adminSocketPath, mode: 0o600 } } },
    static_resources: {
      listeners: [
        {
          ...listener("inbound", loopback(own.port), answering()),
          ...tlsChain(own.id, sds, answering()),
        },
        listener("calls", { pipe: { path: callSocketPath, mode: 0o600 } }, calling(peers)),
      ],
      clusters: [sdsCluster(sdsSocketPath), ...peers.map((peer) => cluster(peer, sds))],
    },
  };
}

function tlsChain({ trustDomain }: SpiffeId, sds: EnvoyObject, routes: EnvoyObject): EnvoyObject {
  const transport_socket = downstreamTls(trustDomain, sds);
  return { filter_chains: [{ filters: [httpManager("inbound", routes)], transport_socket }] };
}

function listener(name: string, address: EnvoyObject, routes: EnvoyObject): EnvoyObject {
  const filter_chains = [{ filters: [httpManager(name, routes)] }];
  return { name, stat_prefix: name, address, filter_chains };
}

function httpManager(name: string, route_config: EnvoyObject): EnvoyObject {
  const type = "type.googleapis.com/envoy.extensions.filters";
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: name,
      // The ALPN of the mesh is none that Envoy could tell HTTP by.
      codec_type: "HTTP1",
      route_config,
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${type}.http.router.v3.Router` },
        },
      ],
    },
  };
}

function answering(): EnvoyObject {
  const route = { match: { prefix: "/" }, direct_response: { status: 200 } };
  return {
    virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }],
    response_headers_to_add: [
      header(seenBy.callerSerial, "%DOWNSTREAM_PEER_SERIAL%"),
      header(seenBy.callerIssuer, "%DOWNSTREAM_PEER_ISSUER%"),
    ],
  };
}

function calling(peers: readonly MemberAddress[]): EnvoyObject {
  return {
    virtual_hosts: peers.map(({ name }) => ({
      name,
      domains: [name],
      routes: [{ match: { prefix: "/" }, route: { cluster: name, timeout: "0s" } }],
    })),
    response_headers_to_add: [header(seenBy.calleeIssuer, "%UPSTREAM_PEER_ISSUER%")],
  };
}

function header(key: string, value: string): EnvoyObject {
  return { header: { key, value } };
}

function cluster({ name, id, port }: MemberAddress, sds: EnvoyObject): EnvoyObject {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    transport_socket: upstreamTls(id, undefined, sds),
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        common_http_protocol_options: { max_requests_per_connection: 1 },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(port) } }] }],
    },
  };
}

function loopback(port: number): EnvoyObject {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
