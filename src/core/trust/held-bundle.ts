/**
 * Which bundle an agent holds. The mesh stream's is the authority, because it is sequenced; a CSR's
 * reply brings roots without a sequence, and may only add to them until the stream has spoken
 * again. Bundles of two trust domains are never merged (SPIFFE Federation 4.2).
 */

import { equalBytes, equalSets, hasBytes } from "../bytes.ts";
import { trustBundle, type TrustBundle } from "../spiffe/trust-bundle.ts";

export type BundleDecision =
  | { readonly kind: "keep"; readonly bundle: TrustBundle }
  | { readonly kind: "replace"; readonly bundle: TrustBundle }
  /** Older than what is held: a rolled-back or foreign server. The held one stays. */
  | { readonly kind: "rollback"; readonly bundle: TrustBundle };

export function decideStreamBundle(
  held: TrustBundle | undefined,
  came: TrustBundle,
): BundleDecision {
  if (held === undefined) return { kind: "replace", bundle: came };
  if (came.sequence < held.sequence || !came.trustDomain.equals(held.trustDomain)) {
    return { kind: "rollback", bundle: held };
  }
  const same =
    came.sequence === held.sequence && equalSets(came.roots, held.roots) && hasSameKeys(held, came);
  return same ? { kind: "keep", bundle: held } : { kind: "replace", bundle: came };
}

/**
 * Adds only what the new leaf cannot be used without: a reply that was on its way may bring a root that was withdrawn
 * meanwhile, and the stream brings the rest. The sum keeps the held sequence: it holds all that the sequence promised,
 * and a rolled-back server stays refused.
 * @param came in the reply to a CSR, so of the signer and of the trust domain of the new leaf
 * @param leafRoots those of its roots that the new leaf hangs on
 * @param isExpired the certificate beside what is held: that may be older than a rotation, and is no reason to leave a root out
 */
export function decideReplyBundle(
  held: TrustBundle | undefined,
  came: TrustBundle,
  leafRoots: readonly Uint8Array[],
  isExpired = false,
): BundleDecision {
  if (held === undefined || !held.trustDomain.equals(came.trustDomain)) {
    return { kind: "replace", bundle: came };
  }
  const isUsable = !isExpired && leafRoots.some((root) => hasBytes(held.roots, root));
  if (isUsable || hasRoots(held, came.roots)) return { kind: "keep", bundle: held };
  const roots = [...held.roots, ...came.roots];
  const { trustDomain, sequence, jwtKeys } = held;
  return { kind: "replace", bundle: trustBundle(trustDomain, sequence, roots, jwtKeys) };
}

function hasSameKeys(held: TrustBundle, came: TrustBundle): boolean {
  return (
    held.jwtKeys.length === came.jwtKeys.length &&
    held.jwtKeys.every(({ keyId, spki }, index) => {
      const other = came.jwtKeys[index];
      return other?.keyId === keyId && equalBytes(other.spki, spki);
    })
  );
}

function hasRoots(held: TrustBundle, roots: readonly Uint8Array[]): boolean {
  return roots.every((root) => hasBytes(held.roots, root));
}
