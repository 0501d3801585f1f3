/** Whether an authority may be taken: one that is known under any of its names, or too large to be kept, may not. */

import { equalBytes } from "../bytes.ts";
import { rootSha256 } from "./next-trust.ts";
import { authorityKnown, compromisedKnown, stateTooLarge } from "./rotation-refusals.ts";
import type { RotationRefusal } from "./rotation.ts";
import { documentLengthMax, documentLengthOf } from "./trust-state-codec.ts";
import type { NewAuthority, TrustState } from "./trust-state.ts";

/** What an authority is known by. */
type AuthorityNames = Pick<NewAuthority, "id" | "root" | "signerIds">;

/** Two roots with one signing key could not be told apart by what the log has of a leaf. */
export function knownAuthority(
  state: TrustState,
  { id, root, signerIds }: AuthorityNames,
): RotationRefusal | undefined {
  const names = new Set([id, ...signerIds]);
  const known = state.authorities.find(
    (each) => equalBytes(each.root, root) || hasAny(names, each),
  );
  if (known !== undefined) return authorityKnown(known);
  const digest = rootSha256(root);
  const compromised = state.retired.find(
    (each) => each.compromised && (each.rootSha256 === digest || hasAny(names, each)),
  );
  return compromised && compromisedKnown(compromised);
}

function hasAny(
  names: ReadonlySet<string>,
  { id, signerIds }: Pick<NewAuthority, "id" | "signerIds">,
): boolean {
  return names.has(id) || signerIds.some((each) => names.has(each));
}

/** What the steps to come may add: times, names of states, an entry of what has been retired. */
const reserve = 512;

/** Refused before anything changes: a rotation that has begun must be able to end. */
export function outgrown(state: TrustState): RotationRefusal | undefined {
  const max = documentLengthMax - reserve;
  const length = documentLengthOf(state);
  return length <= max ? undefined : stateTooLarge(length, max);
}
