/** What keeps a gate closed, whoever has confirmed: a clock that cannot be believed, and signers of whom nobody knows. */

import { equalBytes } from "../../core/bytes.ts";
import type { Gate } from "../../core/roll/laggard.ts";
import type { AuthorityRecord, TrustState } from "../../core/trust/trust-state.ts";

/** One that was set forward would end every certificate, and open every gate. */
export const clockJumped: Gate = {
  kind: "closed",
  laggards: [
    {
      kind: "server",
      name: "server/clock",
      spiffeId: "",
      reason: "rebuilding",
      detail: "its clock has jumped: what has expired is not known (portcullis clock accept)",
    },
  ],
  lagging: 1,
  evidence: { total: 1, confirmed: 0, weak: 0, waived: 0 },
};

/**
 * Of authorities whose root stays when this one's goes, and of those that nobody is to trust any more. What others signed
 * hangs on this one's, as far as anybody knows.
 */
export function otherSigners(
  { authorities, retired }: TrustState,
  gone: AuthorityRecord,
): ReadonlySet<string> {
  const staying = authorities.filter(({ root }) => !equalBytes(root, gone.root));
  const distrusted = retired
    .flatMap(({ signerIds }) => signerIds)
    .filter((signer) => !gone.signerIds.includes(signer));
  return new Set([...staying.flatMap(({ signerIds }) => signerIds), ...distrusted]);
}
