/**
 * Whether an operator's own CA may sign for a mesh: the first time it is what the mesh begins with; later only the
 * intermediates may change. A root that some peer does not trust yet, and one that some live certificate still hangs on,
 * are the two dangerous steps of a mesh CA: they need a rotation, and are refused here.
 */

import { PortcullisError } from "../error.ts";
import { equalBytes, hasBytes } from "../bytes.ts";
import { activeAuthority, withActiveAuthority, type TrustState } from "./trust-state.ts";

/** As the operator's files have it. */
export interface PluggedAuthority {
  /** Lower-case hex of the subject key identifier. */
  readonly id: string;
  /** The signing certificate first, then its intermediates; DER. Empty for a root that signs itself. */
  readonly chain: readonly Uint8Array[];
  /** On which the chain hangs. */
  readonly root: Uint8Array;
  /** All that are to be trusted, that one among them. */
  readonly roots: readonly Uint8Array[];
}

export type TrustChangeErrorCode =
  | "trust-own-root"
  | "trust-roots-changed"
  | "trust-anchor-changed";

export class TrustChangeError extends PortcullisError<TrustChangeErrorCode> {
  override name = "TrustChangeError";
}

/**
 * @returns the state to go on with: the same one when nothing has changed
 * @throws TrustChangeError for what needs a rotation
 */
export function withPluggedAuthority(state: TrustState, plugged: PluggedAuthority): TrustState {
  const active = activeAuthority(state);
  if (active.key === "store") {
    throw new TrustChangeError(
      "trust-own-root",
      "expected a directory without a root, got one whose workloads trust the root that is in it",
      { hint: `give --ca-dir a --data-dir of its own; ${needsRotation}` },
    );
  }
  assertSameRoots([active.root, ...state.otherRoots], plugged.roots);
  if (!equalBytes(active.root, plugged.root)) {
    throw new TrustChangeError(
      "trust-anchor-changed",
      "the signing certificate hangs on another root than before",
      { hint: needsRotation },
    );
  }
  const { id, chain } = plugged;
  const isSame =
    active.id === id &&
    active.chain.length === chain.length &&
    active.chain.every((der, index) => equalBytes(der, chain[index] ?? new Uint8Array()));
  return isSame ? state : withActiveAuthority(state, { ...active, id, chain });
}

const needsRotation = "a change of roots needs a rotation, which this version cannot do yet";

/** Their order means nothing. */
function assertSameRoots(before: readonly Uint8Array[], after: readonly Uint8Array[]): void {
  const added = after.filter((root) => !hasBytes(before, root)).length;
  const removed = before.filter((root) => !hasBytes(after, root)).length;
  if (added === 0 && removed === 0) return;
  throw new TrustChangeError(
    "trust-roots-changed",
    `expected the same roots as before, got ${added} new and ${removed} missing`,
    { hint: needsRotation },
  );
}
