/** What an agent says of its Envoys' policies. It is the agent's word: what counts is settled by whoever reads it. */

import { proxyKey } from "../roll/evidence.ts";
import type { Labels } from "../resources/resource.ts";

export interface PolicyNack {
  /** Lower-case hex. */
  readonly digest: string;
  /** Envoy's own words, at most 1 KiB. */
  readonly detail: string;
  /** Of listeners, clusters and load assignments that it may be about. */
  readonly resources: readonly string[];
}

export interface ReportedNack extends PolicyNack {
  /** Parts of it, or of what was refused before it, may be in force: nothing was acknowledged since. */
  readonly isPartial: boolean;
  /** The message; undefined where the stream has said it, or been told it, or nothing of it is in force. */
  readonly octets: Uint8Array | undefined;
}

/** Plaintext connections from before their port took none. */
export type OldConnections =
  /** Not every Envoy tells. */
  | "unobserved"
  /** Some are open, or may be. */
  | "unproven"
  | "gone";

/** What an agent has to say of a proxy, whatever the stream. */
export interface LocalPolicy {
  /** Envoy's node id. */
  readonly proxyId: string;
  /** From a node agent: the workload that the proxy authenticated as. Otherwise the reporter itself. */
  readonly spiffeId: string | undefined;
  /** Claimed. */
  readonly labels: Labels;
  /** False for one that only asks `ext_authz`. */
  readonly hasListeners: boolean;
  /** What it has acknowledged; undefined where that is nothing. */
  readonly applied: AppliedPolicy | undefined;
  /** It may do something that is in no other field, and was not sent on this stream: then `applied` is what it began with. */
  readonly isUnsure: boolean;
  /** The newest refusal that no later acknowledgement has cleared. */
  readonly nack: ReportedNack | undefined;
  /** Plaintext connections that are still open on ports that take none, by port. */
  readonly draining: ReadonlyMap<number, number>;
  readonly oldConnections: OldConnections;
}

export interface ReportedPolicy extends LocalPolicy {
  /**
   * What came of as many of this stream's assignments is in the other fields, counted in their order and to whomever: what was sent later is
   * on its way, or not answered yet.
   */
  readonly assignmentsAnswered: number;
}

export interface AppliedPolicy {
  /** SHA-256 of the message, lower-case hex. */
  readonly digest: string;
  /** The message; undefined where the stream has said it, or been told it. */
  readonly octets: Uint8Array | undefined;
}

export interface PolicyReport {
  /** The first of a stream. */
  readonly full: boolean;
  /** From here on whoever was not named since `full` is not there. */
  readonly complete: boolean;
  readonly proxies: readonly ReportedPolicy[];
  /** As `policyKey` names them. */
  readonly gone: readonly string[];
}

/** The name that a proxy has in reports of evidence, too. */
export function policyKey({
  proxyId,
  spiffeId,
}: Pick<ReportedPolicy, "proxyId" | "spiffeId">): string {
  return proxyKey({ proxyId, ...(spiffeId !== undefined && { spiffeId }), subscriptions: [] });
}
