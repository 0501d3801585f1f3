/**
 * What one Envoy is to do, and nothing of why: the value that the server decides, the mesh stream carries, the agent keeps on its disk
 * and renders as Envoy's resources. Two that do the same are equal in every field and order.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import type { ServerMode } from "./server-mode.ts";

export interface ProxyPolicy {
  /** By port, ascending. */
  readonly inbound: readonly InboundPort[];
  /** By bind, then port. */
  readonly outbound: readonly OutboundPort[];
  /** By name; those that some route leads to. */
  readonly clusters: readonly OutboundCluster[];
  readonly modes: PortModes;
}

/** What the workload's ports take, also those that have no listener of ours: for `ext_authz`. */
export interface PortModes {
  readonly other: ServerMode;
  /** Those that differ from `other`. */
  readonly ports: ReadonlyMap<number, ServerMode>;
}

/** Of the port; "auto" looks at the first bytes. */
export type InboundProtocol = "tcp" | "http" | "auto";

export interface InboundPort {
  readonly port: number;
  /** An IP address. */
  readonly bind: string;
  readonly protocol: InboundProtocol;
  /** The application speaks HTTP/2 only (HTTP2, GRPC). */
  readonly isHttp2: boolean;
  readonly app: AppAddress;
  readonly mode: ServerMode;
}

export type AppAddress =
  | { readonly kind: "ip"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface OutboundPort {
  readonly bind: string;
  readonly port: number;
  readonly protocol: "tcp" | "http";
  /** To one cluster for TCP; by the request's host for HTTP. */
  readonly routes: readonly OutboundRoute[];
}

export interface OutboundRoute {
  /** As Envoy's virtual hosts have them; empty for TCP. */
  readonly domains: readonly string[];
  /** Its name. */
  readonly cluster: string;
}

export interface OutboundCluster {
  /** Istio's: `outbound|PORT|SUBSET|HOST`. */
  readonly name: string;
  /** Whether Envoy is told the endpoints' addresses, or asks DNS for them. */
  readonly addresses: "eds" | "dns";
  /** The service speaks HTTP/2 only. */
  readonly isHttp2: boolean;
  /** "tcp" offers no ALPN of HTTP. */
  readonly protocol: "tcp" | "http";
  /** To whom of `endpoints` "mtls" is sent; undefined where to none. */
  readonly mtls: { readonly sni: string; readonly sans: readonly string[] } | undefined;
  /** To whom of `endpoints` "tls" is sent: TLS of the web, not the mesh's certificate. */
  readonly origination: ClientTls | undefined;
  readonly endpoints: readonly OutboundEndpoint[];
}

export type Sending = "plaintext" | "mtls" | "tls";

export interface OutboundEndpoint {
  /** An IP address, a name, or `unix:///PATH`. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly sends: Sending;
}

/** Nothing to listen on and nobody to call. */
export const emptyPolicy: ProxyPolicy = {
  inbound: [],
  outbound: [],
  clusters: [],
  modes: { other: "permissive", ports: new Map() },
};
