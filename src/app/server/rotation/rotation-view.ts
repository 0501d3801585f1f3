/** What the interpreter of a rotation needs to know of the mesh: snapshots, asked for in one turn of the event loop. */

import type { Gate } from "../../../core/roll/laggard.ts";
import type { AuthorityRecord } from "../../../core/trust/trust-state.ts";

/** When the present bundle was published: whatever was signed after it came with that bundle. */
export interface BundleCut {
  /** Of the bundle's roots, as `rootsDigest` makes it. */
  readonly rootsDigest: string;
  /** The first index of the log that was free then; no intent before it has a reply with these roots. */
  readonly cutIndex: number;
}

/** What waits for verifiers. */
export type VerifierStep = "activate" | "confirm";

export interface RotationView {
  /**
   * Whether every verifier holds the present bundle.
   * @param namedMax how many laggards are named at most
   * @param step for `activate`, which it is by default, also by handshakes where an authority is prepared
   */
  readonly verifiers: (namedMax?: number, step?: VerifierStep) => Gate;
  /** Whether nothing that is unexpired hangs on this authority's root. */
  readonly holders: (authority: AuthorityRecord, namedMax?: number) => Gate;
  /** At the start, and after each change of trust; the trust that is current has these roots. */
  readonly published: (cut: BundleCut) => void;
  /** Left to be asked, and how many a second. */
  readonly reissue: () => { readonly left: number; readonly perSecond: number };
  /** The greatest difference to an agent's clock that was seen. */
  readonly skewMs: () => number;
}
