/**
 * Envoy's bootstrap for a workload whose certificates come from the agent's socket, as a plain JSON
 * value. Most lines are here because Envoy 1.40 was seen to need them; the comments say for what.
 *
 * Inbound listeners take mTLS and nothing else. Their peers are any workload of the trust domain.
 */

import { PortcullisError } from "../error.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import type { HostPort, InboundListener, OutboundListener } from "./listen.ts";
import {
  downstreamTls,
  sdsCluster,
  sdsService,
  upstreamTls,
  type EnvoyObject,
  type SdsCredential,
} from "./tls-context.ts";

export type BootstrapErrorCode =
  | "node-missing"
  | "socket-path-invalid"
  | "token-path-invalid"
  | "listener-missing"
  | "listen-port-taken";

export class BootstrapError extends PortcullisError<BootstrapErrorCode> {
  override name = "BootstrapError";
}

/** What every bootstrap has. */
export interface FrameOptions {
  /** Names this proxy in evidence; distinct for each proxy of an agent. */
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** The agent's. */
  readonly sdsSocketPath: string;
  /** @default none: the socket's mode says who may ask */
  readonly sdsCredential?: SdsCredential;
  /** Made by Envoy, for its owner only: whoever may write to it may stop Envoy. */
  readonly adminSocketPath: string;
}

export interface BootstrapOptions extends FrameOptions {
  readonly trustDomain: TrustDomain;
  readonly inbound: readonly InboundListener[];
  readonly outbound: readonly OutboundListener[];
}

/** @throws BootstrapError */
export function envoyBootstrap(options: BootstrapOptions): EnvoyObject {
  const { nodeId, nodeCluster, sdsSocketPath, adminSocketPath, inbound, outbound } = options;
  assertNode(nodeId, nodeCluster);
  for (const path of [sdsSocketPath, adminSocketPath]) assertSocketPath(path);
  assertListeners([...inbound, ...outbound].map(({ listen }) => listen.port));
  const sdsCredential = options.sdsCredential ?? { kind: "none" };
  const sds = sdsService(sdsSocketPath, sdsCredential);
  return {
    ...bootstrapFrame(options),
    static_resources: {
      listeners: [
        ...inbound.map((listener) => inboundListener(listener, options.trustDomain, sds)),
        ...outbound.map(outboundListener),
      ],
      clusters: [
        // Google's gRPC client dials by itself.
        ...(sdsCredential.kind === "token-file" ? [] : [sdsCluster(sdsSocketPath)]),
        ...inbound.map(appCluster),
        ...outbound.map((listener) => serverCluster(listener, sds)),
      ],
    },
  };
}

export function bootstrapFrame(
  { nodeId, nodeCluster, adminSocketPath }: FrameOptions,
  metadata?: EnvoyObject,
): EnvoyObject {
  return {
    node: { id: nodeId, cluster: nodeCluster, ...(metadata !== undefined && { metadata }) },
    admin: { address: { pipe: { path: adminSocketPath, mode: 0o600 } } },
    watchdogs: { main_thread_watchdog: watchdog, worker_watchdog: watchdog },
  };
}

/**
 * They only count threads that hang, and cost an idle Envoy half of its CPU: by default they wake up each thread ten times a second.
 */
const watchdog = { miss_timeout: "1s" };

/**
 * How long connections live on that a port takes no more, in seconds: a request that takes longer and was sent before its client
 * moved to mTLS, or back, is cut. Without it they would live for ten minutes.
 */
const drainSecondsMax = 10;

/** The arguments to start Envoy with; several may then run on one machine, each on its own. */
export function envoyArguments(
  bootstrapPath: string,
  drainSeconds: number = drainSecondsMax,
): readonly string[] {
  const alone = ["--concurrency", "1", "--disable-hot-restart"];
  const drain = ["--drain-time-s", String(drainSeconds), "--drain-strategy", "immediate"];
  return ["--config-path", bootstrapPath, ...alone, ...drain];
}

/**
 * Listeners, their clusters and their stats share one name: `listener.inbound_8443.ssl.handshake`.
 */
function inboundName({ listen }: InboundListener): string {
  return `inbound_${listen.port}`;
}

function outboundName({ listen }: OutboundListener): string {
  return `outbound_${listen.port}`;
}

function inboundListener(
  inbound: InboundListener,
  trustDomain: TrustDomain,
  sds: EnvoyObject,
): EnvoyObject {
  const name = inboundName(inbound);
  const proxy = {
    // By default the application is connected to before the handshake has ended, so that a refused
    // caller would still open a connection to it.
    upstream_connect_mode: "ON_DOWNSTREAM_TLS_HANDSHAKE",
    max_early_data_bytes: 0,
  };
  const chain = {
    filters: [tcpProxy(name, proxy)],
    transport_socket: downstreamTls(trustDomain, sds),
    transport_socket_connect_timeout: "10s",
  };
  return { ...listenerFrame(name, inbound.listen), filter_chains: [chain] };
}

function outboundListener(outbound: OutboundListener): EnvoyObject {
  const name = outboundName(outbound);
  const frame = listenerFrame(name, outbound.listen);
  return { ...frame, filter_chains: [{ filters: [tcpProxy(name, {})] }] };
}

function listenerFrame(name: string, listen: HostPort): EnvoyObject {
  return { name, stat_prefix: name, address: socketAddress(listen) };
}

function tcpProxy(name: string, options: EnvoyObject): EnvoyObject {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: name,
      cluster: name,
      ...options,
    },
  };
}

function appCluster(inbound: InboundListener): EnvoyObject {
  return cluster(inboundName(inbound), inbound.app);
}

function serverCluster(outbound: OutboundListener, sds: EnvoyObject): EnvoyObject {
  const { server, serverId } = outbound;
  // RFC 6066 3: an IP address is no server name.
  const serverName = server.kind === "name" ? server.host : undefined;
  return {
    ...cluster(outboundName(outbound), server),
    transport_socket: upstreamTls(serverId, serverName, sds),
  };
}

function cluster(name: string, { kind, host, port }: HostPort): EnvoyObject {
  return {
    name,
    connect_timeout: "5s",
    ...(kind === "name" ? { type: "STRICT_DNS", dns_lookup_family: "ALL" } : { type: "STATIC" }),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: host, port_value: port } } } },
          ],
        },
      ],
    },
  };
}

function socketAddress({ kind, host, port }: HostPort): EnvoyObject {
  // The IPv6 wildcard takes IPv4 callers, too, as servers usually do.
  const both = kind === "ipv6" && /^[0:]+$/.test(host) ? { ipv4_compat: true } : {};
  return { socket_address: { address: host, port_value: port, ...both } };
}

export function assertNode(id: string, cluster: string): void {
  if (id !== "" && cluster !== "") return;
  throw new BootstrapError("node-missing", "expected a node id and a node cluster, got none", {
    hint: "Envoy refuses SDS and ADS without both",
  });
}

/** sockaddr_un holds 108 bytes with its final zero on Linux, 104 on macOS. */
const socketPathBytesMax = 103;

export function assertSocketPath(path: string): void {
  const bytes = new TextEncoder().encode(path).length;
  if (path.startsWith("/") && bytes <= socketPathBytesMax) return;
  throw new BootstrapError(
    "socket-path-invalid",
    `expected an absolute socket path of at most ${socketPathBytesMax} bytes, got ${bytes} bytes`,
    { hint: "use a shorter directory, for example under /run or /tmp" },
  );
}

function assertListeners(ports: readonly number[]): void {
  if (ports.length === 0) {
    throw new BootstrapError("listener-missing", "expected at least one listener, got none", {
      hint: "add --inbound LISTEN=APP or --outbound LISTEN=HOST:PORT@SPIFFE_ID",
    });
  }
  const taken = ports.find((port, index) => ports.indexOf(port) !== index);
  if (taken === undefined) return;
  throw new BootstrapError(
    "listen-port-taken",
    `expected each listen port once, got ${taken} twice`,
  );
}
