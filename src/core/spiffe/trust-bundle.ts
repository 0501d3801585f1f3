/**
 * A trust bundle as a value: the roots and the JWT keys that a trust domain's peers verify against,
 * under a sequence that only grows (SPIFFE Trust Domain and Bundle 4). Their order carries no
 * meaning, so they are sorted: two bundles with the same contents are the same bytes wherever they
 * are encoded, and a change of order never looks like a rotation.
 */

import { PortcullisError } from "../error.ts";
import type { TrustDomain } from "./id.ts";

export type TrustBundleErrorCode = "bundle-empty" | "bundle-sequence-negative";

export class TrustBundleError extends PortcullisError<TrustBundleErrorCode> {
  override name = "TrustBundleError";
}

export interface TrustBundle {
  readonly trustDomain: TrustDomain;
  readonly sequence: bigint;
  /** CA certificates in DER, in ascending order of their bytes, each once; never empty. */
  readonly roots: readonly Uint8Array[];
  /** In ascending order of their IDs, each once; empty where no JWT-SVIDs are made. */
  readonly jwtKeys: readonly JwtKey[];
}

/** What JWT-SVIDs are verified with. */
export interface JwtKey {
  /** The `kid` of their headers (JWT-SVID 2.2). */
  readonly keyId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/**
 * @throws TrustBundleError a bundle without a root would be read as "trust nobody" or, worse, as
 * "verify nothing"
 */
export function trustBundle(
  trustDomain: TrustDomain,
  sequence: bigint,
  roots: Iterable<Uint8Array>,
  jwtKeys: Iterable<JwtKey> = [],
): TrustBundle {
  if (sequence < 0n) {
    throw new TrustBundleError(
      "bundle-sequence-negative",
      `expected a bundle sequence of at least 0, got ${sequence}`,
    );
  }
  // Copies: the bundle outlives the buffers that its roots were read from.
  const sorted = Array.from(roots, (root) => Uint8Array.from(root)).toSorted((a, b) =>
    Buffer.compare(a, b),
  );
  const unique = sorted.filter((root, index) => {
    const previous = sorted[index - 1];
    return previous === undefined || Buffer.compare(previous, root) !== 0;
  });
  if (unique.length === 0) {
    throw new TrustBundleError("bundle-empty", "expected at least one root in a bundle, got none");
  }
  return Object.freeze({
    trustDomain,
    sequence,
    roots: Object.freeze(unique),
    jwtKeys: sortedKeys(jwtKeys),
  });
}

function sortedKeys(keys: Iterable<JwtKey>): readonly JwtKey[] {
  const byId = new Map(
    Array.from(keys, ({ keyId, spki }) => [
      keyId,
      Object.freeze({ keyId, spki: Uint8Array.from(spki) }),
    ]),
  );
  return Object.freeze(
    [...byId.values()].toSorted((a, b) => (a.keyId < b.keyId ? -1 : Number(a.keyId > b.keyId))),
  );
}
