/** Connections as the receiving Envoy saw them, summed up: what an agent tells of them, and for which time it can answer. */

/** As the receiver saw it. */
export type ConnectionKind =
  /** A certificate of the mesh, verified; where it was refused, the caller began as callers of the mesh do. */
  | "mtls"
  /** TLS that was to end here, without a certificate of the mesh. */
  | "tls"
  /** TLS that does not end here. */
  | "passthrough"
  | "plaintext";

export type Source =
  /** Verified. */
  | { readonly kind: "identity"; readonly spiffeId: string }
  /** An IP address; an IPv4-mapped one is an IPv4 address. */
  | { readonly kind: "address"; readonly address: string }
  /** The agent had no room for more. */
  | { readonly kind: "others" };

export interface SeenConnections {
  readonly port: number;
  readonly kind: ConnectionKind;
  readonly isRefused: boolean;
  readonly source: Source;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
  /** What the caller says of itself, for people: nothing is decided by it. */
  readonly claim: string;
}

/** For which time an agent can answer, and what it has missed of it by Envoy's own counters. */
export interface PortCoverage {
  readonly port: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Connections that were not mTLS, counted by Envoy, and that no entry told of. */
  readonly lostUnmeshed: number;
  readonly lostMeshed: number;
  /** Open ones that are not mTLS, and whose source is not known yet. */
  readonly openUnnamed: number;
  /** Open ones with mTLS: such a connection is told when it ends. Undefined: not told. */
  readonly openMeshed?: number | undefined;
}

/** Of one Envoy, since the last report. */
export interface ProxyConnections {
  /** Envoy's node id. */
  readonly proxyId: string;
  /** From a node agent: the workload that the proxy authenticated as. Otherwise the reporter itself. */
  readonly spiffeId: string | undefined;
  /** When this life of the Envoy began. */
  readonly epochMs: number;
  readonly seen: readonly SeenConnections[];
  readonly coverage: readonly PortCoverage[];
}

export interface ConnectionReport {
  /** Random, of this life of the agent, lower-case hex: with the sequence it makes a report count once. */
  readonly runId: string;
  readonly sequence: number;
  readonly proxies: readonly ProxyConnections[];
}
