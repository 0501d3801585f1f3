/** Whether an authority may be taken: one whose key or root is known, or that is too large to be kept, may not. */

import { equalBytes } from "../bytes.ts";
import { compromisedBy, keysOf, type CertificateKeyId } from "./authority-keys.ts";
import {
  authorityKnown,
  compromisedKnown,
  rotationInProgress,
  stateTooLarge,
} from "./rotation-refusals.ts";
import type { RotationRefusal } from "./rotation.ts";
import { documentLengthMax, documentLengthOf } from "./trust-state-codec.ts";
import type { NewAuthority, TrustState } from "./trust-state.ts";

/** Of any authority: there is one at most beside the active one. */
export function noRoomForAuthority(state: TrustState): RotationRefusal | undefined {
  return state.authorities.length > 1 ? rotationInProgress(state) : undefined;
}

/** Where two roots have one signing key, a leak of that one is a leak of both: of two keys under one root likewise. */
export function knownAuthority(
  { authorities, retired }: Pick<TrustState, "authorities" | "retired">,
  authority: Pick<NewAuthority, "id" | "chain" | "root">,
  keyIdOf: CertificateKeyId,
): RotationRefusal | undefined {
  const { id, root } = authority;
  const known = authorities.find(
    (each) => each.id === id || each.formerKeyIds.includes(id) || equalBytes(each.root, root),
  );
  if (known !== undefined) return authorityKnown(known);
  const compromised = compromisedBy(retired, keysOf(authority, keyIdOf));
  return compromised && compromisedKnown(compromised);
}

/** What the steps to come may add: times, names of states, an entry of what has been retired. */
const reserve = 512;

/** Refused before anything changes: a rotation that has begun must be able to end. */
export function outgrown(state: TrustState): RotationRefusal | undefined {
  const max = documentLengthMax - reserve;
  const length = documentLengthOf(state);
  return length <= max ? undefined : stateTooLarge(length, max);
}
