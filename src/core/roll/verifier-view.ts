/** What the gate of the verifiers looks at: nothing of it may change while it looks. */

import type { AgentEntry } from "./agent-roll.ts";
import type { GateTally } from "./gate-tally.ts";
import type { HandshakeView } from "./handshake-proof.ts";
import type { LeafOwners } from "./leaf-owners.ts";
import type { Roll } from "./roll.ts";
import type { RootMaps } from "./root-maps.ts";

export interface VerifierView {
  readonly roll: Roll;
  readonly owners: LeafOwners;
  /** Of the present bundle, as `rootsDigest` makes it. */
  readonly rootsDigest: string;
  /** Since which sequence bundles have these roots: the same set may have been trusted before, and not meanwhile. */
  readonly rootsSequence: bigint;
  /** Names of resources that carry a bundle, as `validationSecretNames` gives them. */
  readonly validationNames: ReadonlySet<string>;
  /** The log's first index that was free when the present bundle was out; undefined until it is. */
  readonly cutIndex: number | undefined;
  /** When it was sent to everybody; for people. */
  readonly sentMs?: number;
  /** Whether a node agent's stream speaks for this identity now. */
  readonly speaksFor: (nodeAgent: AgentEntry, identity: string) => boolean;
  /** Of readers whom nobody can observe, as far as they are configured. */
  readonly classes: readonly string[];
  /** Names, as laggards have them. */
  readonly waived: ReadonlySet<string>;
  /** Until when certificates may live that a restored log does not know; 0 for none. */
  readonly lostUntilMs: number;
  /** Where an authority is to sign next: then an acknowledgement is not enough of a proxy whose listeners are ours. */
  readonly handshakes?: HandshakeView;
  /** Where the server writes the roots into its cluster, compared with this bundle. */
  readonly rootMaps?: RootMaps;
}

/** One look at it. */
export interface Moment {
  readonly view: VerifierView;
  readonly nowMs: number;
  readonly skewMs: number;
  readonly tally: GateTally;
}
