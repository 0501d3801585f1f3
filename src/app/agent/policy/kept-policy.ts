/** A proxy's last good policy as the disk has it: what it was told, as it came, and for whom. */

import type { LocalPolicy } from "../../../core/policy/policy-report.ts";
import type {
  OutboundCluster,
  OutboundPort,
  ProxyPolicy,
} from "../../../core/policy/proxy-policy.ts";
import { parsePolicy, policyDigest } from "../../../edge/rpc/policy-messages.ts";
import { reportableLabels } from "../../../edge/rpc/policy-labels.ts";
import { Interned } from "./interned.ts";
import type { GivenPolicy } from "./policy-feed.ts";

/** With the octets that its digest is of. */
export interface ReceivedPolicy extends GivenPolicy {
  readonly octets: Uint8Array;
}

export interface KeptPolicy extends Pick<
  LocalPolicy,
  "proxyId" | "spiffeId" | "labels" | "hasListeners"
> {
  readonly received: ReceivedPolicy;
  /** When it was here last. */
  readonly seenMs: number;
}

/** @throws MeshMessageError */
export function receivePolicy(octets: Uint8Array): ReceivedPolicy {
  // Of its own: those that came are a part of a large message.
  return {
    digest: policyDigest(octets),
    policy: shared(parsePolicy(octets)),
    octets: Uint8Array.from(octets),
  };
}

/** Of all proxies: neither has a map in it, of which JSON would say nothing. */
const clustersKnown = new Interned<OutboundCluster>(JSON.stringify);
const outboundKnown = new Interned<OutboundPort>(JSON.stringify);

function shared({ outbound, clusters, ...rest }: ProxyPolicy): ProxyPolicy {
  return {
    ...rest,
    outbound: outbound.map((each) => outboundKnown.of(each)),
    clusters: clusters.map((each) => clustersKnown.of(each)),
  };
}

/** As JSON keeps it. */
interface StoredPolicy {
  readonly proxyId: string;
  readonly spiffeId?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly hasListeners: boolean;
  readonly digest: string;
  /** Base64. */
  readonly policy: string;
  readonly seenMs: number;
}

export function encodeKept(kept: KeptPolicy): string {
  const { proxyId, spiffeId, labels, hasListeners, received, seenMs } = kept;
  const stored: StoredPolicy = {
    proxyId,
    ...(spiffeId !== undefined && { spiffeId }),
    labels: Object.fromEntries(labels),
    hasListeners,
    digest: received.digest,
    policy: Buffer.from(received.octets).toString("base64"),
    seenMs,
  };
  return JSON.stringify(stored);
}

/** @throws TypeError, MeshMessageError */
export function parseKept(document: unknown): KeptPolicy {
  const stored = document as StoredPolicy;
  const { proxyId, spiffeId, hasListeners, seenMs } = stored;
  const texts: unknown[] = [
    proxyId,
    spiffeId ?? "",
    stored.policy,
    ...Object.values(stored.labels),
  ];
  if (!texts.every((each) => typeof each === "string")) throw new TypeError("expected texts");
  if (!Number.isSafeInteger(seenMs)) throw new TypeError("expected a time");
  if (typeof hasListeners !== "boolean") throw new TypeError("expected a truth value");
  const received = receivePolicy(Buffer.from(stored.policy, "base64"));
  if (received.digest !== stored.digest) throw new TypeError("expected its own digest");
  return {
    proxyId,
    spiffeId,
    labels: reportableLabels(new Map(Object.entries(stored.labels))),
    hasListeners,
    received,
    seenMs,
  };
}
