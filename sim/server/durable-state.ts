/** What the server's store keeps: the trust state with its keys, and when its bundle was published. */

import type { RotationDecision } from "../../src/core/trust/rotation.ts";
import { bundleOf, type TrustState } from "../../src/core/trust/trust-state.ts";
import { maskOf } from "../world/symbols.ts";
import type { BundleCut } from "./gates.ts";

/** A backup, until a root of it is withdrawn: it would bring that back, and its key, also where an operator has brought it since. */
export interface Saved {
  readonly trust: TrustState;
  readonly cut: BundleCut | undefined;
  readonly keys: readonly string[];
}

export class DurableState {
  trust: TrustState;
  cut: BundleCut | undefined;
  /** IDs of authorities. */
  readonly keys: Set<string> = new Set();
  saved: Saved | undefined;
  seenSkew: string | undefined;
  /** Until when certificates may live that a restored log does not know. */
  lostUntilMs = 0;

  constructor(trust: TrustState) {
    this.trust = trust;
    for (const { id } of trust.authorities) this.keys.add(id);
  }

  /** In one transaction. */
  replace({ state, effects }: Extract<RotationDecision, { kind: "done" }>): void {
    this.trust = state;
    if (this.saved !== undefined && !hasRootsOf(state, this.saved.trust)) this.saved = undefined;
    for (const { id } of state.authorities) this.keys.add(id);
    for (const effect of effects) {
      if (effect.kind === "destroy-key") this.keys.delete(effect.authorityId);
    }
  }

  backUp(): void {
    this.saved = { trust: this.trust, cut: this.cut, keys: [...this.keys] };
  }

  /** The simulated log loses nothing, but gates have to go as though it had. */
  restore({ trust, cut, keys }: Saved, lostUntilMs: number): void {
    this.lostUntilMs = lostUntilMs;
    this.trust = trust;
    this.cut = cut;
    this.keys.clear();
    for (const id of keys) this.keys.add(id);
  }
}

function hasRootsOf(state: TrustState, saved: TrustState): boolean {
  return (maskOf(bundleOf(saved).roots) & ~maskOf(bundleOf(state).roots)) === 0;
}
