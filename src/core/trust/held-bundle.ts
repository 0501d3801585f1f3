/**
 * Which bundle an agent holds. The mesh stream's is the authority, because it is sequenced; a CSR's reply brings roots
 * without a sequence, and may only add to them until the stream has spoken.
 */

import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";

export type BundleDecision =
  | { readonly kind: "keep"; readonly bundle: TrustBundle }
  | { readonly kind: "replace"; readonly bundle: TrustBundle }
  /** Older than what is held: a rolled-back or foreign server. The held one stays. */
  | { readonly kind: "rollback"; readonly bundle: TrustBundle };

/** A bundle without a sequence of its own: only what came with a certificate. */
const unsequenced = 0n;

export function decideStreamBundle(
  held: TrustBundle | undefined,
  came: TrustBundle,
): BundleDecision {
  if (held === undefined) return { kind: "replace", bundle: came };
  if (came.sequence < held.sequence) return { kind: "rollback", bundle: held };
  const same =
    came.sequence === held.sequence &&
    came.roots.length === held.roots.length &&
    hasRoots(held, came.roots);
  return same ? { kind: "keep", bundle: held } : { kind: "replace", bundle: came };
}

/** @param came in the reply to a CSR, so of the signer of the new leaf */
export function decideReplyBundle(
  held: TrustBundle | undefined,
  came: TrustBundle,
): BundleDecision {
  if (held === undefined) return { kind: "replace", bundle: came };
  if (hasRoots(held, came.roots)) return { kind: "keep", bundle: held };
  const roots = [...held.roots, ...came.roots];
  return { kind: "replace", bundle: trustBundle(came.trustDomain, unsequenced, roots) };
}

function hasRoots(held: TrustBundle, roots: readonly Uint8Array[]): boolean {
  return roots.every((root) => held.roots.some((each) => Buffer.compare(each, root) === 0));
}
