/**
 * Whether a call comes from the pod that its token is of. Pods have addresses of their own, or their node's: then others there have it,
 * too, and nobody elsewhere. Between a pod and a server there may be a translation of addresses, so what differs is a reason to look, and
 * a refusal only where an operator says so.
 */

import { canonicalIp } from "../../evidence/ip-address.ts";
import type { Pod } from "../pod.ts";

export type PodAddress =
  | "same"
  /** Nobody has said yet what its address is. */
  | "unknown"
  | "other";

/** @param peer of the call, with its port */
export function comparePodAddress(pod: Pod, peer: string): PodAddress {
  const came = addressOf(peer);
  if (came === undefined || pod.podIPs.length === 0) return "unknown";
  return pod.podIPs.some((ip) => ip === came || canonicalIp(ip) === came) ? "same" : "other";
}

/** `ADDRESS:PORT`, with or without brackets around IPv6. */
function addressOf(peer: string): string | undefined {
  const host = peer.slice(0, Math.max(0, peer.lastIndexOf(":")));
  return canonicalIp(host.replace(/^\[(.*)\]$/, "$1"));
}
