/** Orders for canaries that are signed together: from what was asked to bytes that may be signed. One that is no good spoils no other. */

import { randomBytes } from "node:crypto";
import { canaryId } from "../../../core/identity/canary-id.ts";
import type { Authority } from "../../../core/issuance/authority.ts";
import { prepareCanaries } from "../../../core/issuance/canary.ts";
import type { PreparedLeaf } from "../../../core/issuance/prepare.ts";
import type { TrustDomain } from "../../../core/spiffe/id.ts";
import type { CanaryCaller } from "./canary-intent.ts";

export interface CanaryOrder extends CanaryCaller {
  readonly csrPem: string;
  /** Of the authority that it was asked about, lower-case hex. */
  readonly rootSha256: string;
  /** Whether it is believed still. @throws PeerError, DeniedError */
  readonly assertPeer: () => void;
}

export interface Waiting {
  readonly order: CanaryOrder;
  readonly resolve: (chain: readonly string[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface PrepareGroupDependencies {
  readonly trustDomain: TrustDomain;
  readonly maxTtlSeconds: () => number;
  /** Bytes of ours that fail a lint are not signed: an alarm. */
  readonly onUnfit: (identity: string, error: unknown, tbs: Uint8Array) => void;
  readonly nowMs: () => number;
}

export interface ReadyOrder {
  readonly waiting: Waiting;
  readonly leaf: PreparedLeaf;
}

/** Whoever is no good, or is believed no more, is told so at once. */
export function prepareGroup(
  group: readonly Waiting[],
  authority: Authority,
  { trustDomain, maxTtlSeconds, onUnfit, nowMs }: PrepareGroupDependencies,
): readonly ReadyOrder[] {
  const orders = group.map(({ order: { csrPem } }) => ({ csrPem, serial: randomBytes(16) }));
  const outcomes = prepareCanaries(orders, trustDomain, authority, maxTtlSeconds(), nowMs());
  return group.flatMap((waiting, index) => {
    const outcome = outcomes[index];
    if (outcome?.kind !== "prepared") {
      const { unfit } = outcome ?? {};
      if (unfit !== undefined) onUnfit(canaryId(trustDomain).toString(), outcome?.error, unfit);
      waiting.reject(outcome?.error);
      return [];
    }
    try {
      waiting.order.assertPeer();
    } catch (error) {
      waiting.reject(error);
      return [];
    }
    const { kind: _, ...leaf } = outcome;
    return [{ waiting, leaf }];
  });
}
