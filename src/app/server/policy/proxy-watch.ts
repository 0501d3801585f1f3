/** Whoever keeps a record of which proxies there were, and when. */

import type { Reporter } from "../../../core/roll/evidence.ts";
import type { PolicyProxy } from "./policy-proxy.ts";
import type { MissedIdentities } from "./silent-owners.ts";

export interface ProxyWatch {
  /** It is there, for the first time or as another than before. */
  readonly added: (proxy: PolicyProxy) => void;
  /** It does not come back. */
  readonly removed: (proxy: PolicyProxy) => void;
  /** An agent has told of all its proxies but those of these identities, now or before. */
  readonly heard: (reporter: Reporter, missed: MissedIdentities) => void;
  /** Its keys are destroyed, and its Envoys with them. */
  readonly goodbye: (reporter: Reporter) => void;
  /** Every other second. @param haveEnded whether an identity, or the agent of this proxy, has no unexpired certificate */
  readonly look: (haveEnded: (spiffeId: string, proxy: string) => boolean) => void;
}
