/** Between the Envoys of an agent and what they are to do: ADS streams and `ext_authz` on one side, mesh stream and disk on the other. */

import type { OldConnections, PolicyNack } from "../../../core/policy/policy-report.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { Labels } from "../../../core/resources/resource.ts";

export type { PolicyNack } from "../../../core/policy/policy-report.ts";

export interface PolicyProxyName {
  /** Envoy's node id. */
  readonly proxyId: string;
  /** At a node agent; undefined for the agent's own workload. */
  readonly spiffeId: string | undefined;
}

/** A policy as it came: its digest names it. */
export interface GivenPolicy {
  /** SHA-256 of the message, lower-case hex. */
  readonly digest: string;
  readonly policy: ProxyPolicy;
}

/** One user of a policy: an ADS stream's proxy, or whoever asks `ext_authz`. */
export interface PolicyUser {
  readonly proxy: PolicyProxyName;
  readonly labels: Labels;
  /** Its listeners are ours. */
  readonly hasListeners: boolean;
  /** Its Envoy has just started, and has nothing: what it is given first may wait for the server's word. */
  readonly isFresh?: boolean;
  /** There is a new one, be it from the server or the last good one again. */
  readonly onPolicy: (given: GivenPolicy) => void;
}

export interface OpenPolicy {
  /** From the disk after a restart, until the server says another; undefined where there never was one, or it is yet to come. */
  readonly given: GivenPolicy | undefined;
  /** All of it is acknowledged: it becomes the last good one. */
  readonly acked: (digest: string) => void;
  /** Any part of it is refused. The last good one, if there is one, is given again. */
  readonly nacked: (nack: PolicyNack) => void;
  /** Plaintext connections that are still open on ports that take none, by port. */
  readonly draining: (ports: ReadonlyMap<number, number>, old: OldConnections) => void;
  readonly close: () => void;
}

export interface PolicyFeed {
  open(user: PolicyUser): OpenPolicy;
}
