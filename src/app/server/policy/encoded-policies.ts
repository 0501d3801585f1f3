/** Each policy's octets and digest, made once, whoever is told of it and however often. */

import { createHash } from "node:crypto";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import { encodePolicy } from "../../../edge/rpc/policy-messages.ts";

const digests = new WeakMap<ProxyPolicy, string>();
const toldOctets = new WeakMap<ProxyPolicy, number>();

export interface EncodedPolicy {
  readonly octets: Uint8Array;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

export function encodedPolicy(policy: ProxyPolicy): EncodedPolicy {
  const octets = encodePolicy(policy);
  const digest = digestOf(octets);
  digests.set(policy, digest);
  return { octets, digest };
}

export function digestOfPolicy(policy: ProxyPolicy): string {
  return digests.get(policy) ?? encodedPolicy(policy).digest;
}

/** It came as octets of this digest: of another version of us they may say more than it does, and its own would be others. */
export function knowPolicyAs(policy: ProxyPolicy, digest: string, octets: number): void {
  digests.set(policy, digest);
  toldOctets.set(policy, octets);
}

/** As how many octets it came; 0 for one that was made here. */
export function octetsTold(policy: ProxyPolicy): number {
  return toldOctets.get(policy) ?? 0;
}

function digestOf(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}
