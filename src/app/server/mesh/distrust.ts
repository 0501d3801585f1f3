/**
 * Peers of a root that the mesh does not trust any more. TLS asks when a connection begins, and not again: whoever came before
 * the root was taken away is still there, and could be anybody if its key has leaked. What such a peer says is no evidence, and
 * its certificate gets it no other.
 */

import { hasBytes } from "../../../core/bytes.ts";
import type { TrustBundle } from "../../../core/spiffe/trust-bundle.ts";
import { PeerError, type Peer } from "../../../edge/rpc/peer.ts";

export type IsDistrusted = (peer: Peer) => boolean;

/** By the root that has verified it, whatever the certificate says of its issuer. */
export function isDistrusted({ roots }: Pick<TrustBundle, "roots">, { root }: Peer): boolean {
  return root === undefined || !hasBytes(roots, root);
}

export function distrustedPeer({ id, serialHex }: Peer): PeerError {
  const message = `expected a certificate under a root that is trusted, got ${serialHex} of ${id.toString()}`;
  const hint = "connect anew with a new certificate: by a token, or a join token";
  return new PeerError("peer-distrusted", message, { hint });
}
