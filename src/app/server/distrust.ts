/**
 * Peers of a leaked authority. TLS asks when a connection begins, and not again: whoever came before the authority was
 * distrusted is still there, and could be anybody. What it says is no evidence, and its certificate gets it no other.
 */

import type { TrustState } from "../../core/trust/trust-state.ts";

/** No connection is older: see the maximum age of connections in `edge/rpc/grpc-server.ts`, doubled. */
const connectionMsMax = 7_200_000;

/**
 * Known signers only are believed then: who has a root's key can make a signer of any name.
 * @param authority that has signed a peer's certificate, as that says
 */
export function isDistrusted(
  { authorities, retired }: Pick<TrustState, "authorities" | "retired">,
  authority: string,
  nowMs: number,
): boolean {
  const hasLeaked = retired.some(
    ({ compromised, confirmed, atMs }) =>
      compromised && (!confirmed || nowMs < atMs + connectionMsMax),
  );
  return hasLeaked && !authorities.some(({ signerIds }) => signerIds.includes(authority));
}
