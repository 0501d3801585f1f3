/** What is compared of two trust states, and which keys one may need. */

import type { FoundTrust, Stamp } from "../../../../core/kube/trust/trust-judgement.ts";
import { stateDigest, TrustRecordError } from "../../../../core/kube/trust/trust-record.ts";
import type { TrustState } from "../../../../core/trust/trust-state.ts";
import type { FoundSecret } from "../../../../edge/kube/trust/trust-secret-object.ts";

export function stampOf(state: TrustState): Stamp {
  return { epoch: state.epoch, digest: stateDigest(state) };
}

export function foundStamp(found: FoundSecret | undefined): FoundTrust {
  if (found === undefined) return { kind: "none" };
  if (found.content === undefined) {
    const { error } = found;
    const isNewer = error instanceof TrustRecordError && error.code === "trust-record-newer";
    return { kind: isNewer ? "newer" : "malformed" };
  }
  const { lineage, writer, state } = found.content.record;
  return { kind: "record", lineage, writer, ...stampOf(state) };
}

/** Of all that the store may have for it. */
export function keyIdsOf({ authorities, jwtAuthorities }: TrustState): readonly string[] {
  return [...authorities.map(({ id }) => id), ...jwtAuthorities.map(({ keyId }) => keyId)];
}
