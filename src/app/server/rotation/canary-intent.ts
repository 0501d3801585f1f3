/** What the log keeps of a canary: whose agent it is for stands with the certificate that it came with. */

import { canaryId } from "../../../core/identity/canary-id.ts";
import type { Authority } from "../../../core/issuance/authority.ts";
import type { PreparedLeaf } from "../../../core/issuance/prepare.ts";
import { certificateEvidence } from "../../../core/log/caller-evidence.ts";
import type { TrustDomain } from "../../../core/spiffe/id.ts";
import type { Intent } from "../log/ledger.ts";

export interface CanaryCaller {
  /** The agent's name in the log. */
  readonly agent: string;
  /** Of the certificate that it came with. */
  readonly peerSerialHex: string;
  readonly address: string;
  readonly requestId: string;
}

export function canaryIntent(
  { agent, peerSerialHex, address, requestId }: CanaryCaller,
  prepared: PreparedLeaf,
  { signer, rootSha256 }: Authority,
  trustDomain: TrustDomain,
): Intent {
  return {
    artifact: "canary",
    requestId,
    identity: canaryId(trustDomain).toString(),
    authority: signer.id,
    root: rootSha256,
    evidence: certificateEvidence(peerSerialHex, address),
    agent,
    prepared,
  };
}
