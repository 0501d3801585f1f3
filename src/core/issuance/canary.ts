/**
 * Certificates to try listeners with, before an authority signs anything else: of one fixed identity, for a client, for minutes. Of
 * what is asked for only the key counts.
 */

import { canaryId } from "../identity/canary-id.ts";
import type { TrustDomain } from "../spiffe/id.ts";
import type { Authority } from "./authority.ts";
import { prepareSteps, type PrepareOutcome } from "./prepare.ts";
import { begin, runStep } from "./steps.ts";
import { proveKey } from "./workload.ts";

export interface CanaryOrder {
  readonly csrPem: string;
  /** 16 random octets. */
  readonly serial: Uint8Array;
}

/** A withdrawn authority's root stays until the last of them has expired. */
const lifeSecondsMax = 300;

/**
 * One outcome for each order, in their order.
 * @param maxTtlSeconds nothing that this mesh signs for others lives longer
 */
export function prepareCanaries(
  orders: readonly CanaryOrder[],
  trustDomain: TrustDomain,
  authority: Authority,
  maxTtlSeconds: number,
  nowMs: number,
): readonly PrepareOutcome[] {
  const uris = [canaryId(trustDomain).toString()];
  const proven = runStep(begin(orders), ({ csrPem, serial }) => ({
    profile: "canary" as const,
    names: { uris },
    publicKey: proveKey(csrPem),
    requestedTtlSeconds: 0n,
    serial,
  }));
  const ttlSeconds = Math.min(lifeSecondsMax, maxTtlSeconds);
  const policy = { defaultTtlSeconds: ttlSeconds, maxTtlSeconds: ttlSeconds };
  return prepareSteps(proven, authority, policy, nowMs);
}
