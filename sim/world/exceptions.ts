/** Who is not held to the promise, because an operator said so: by a waiver, or by a leaked key. Counted, and few. */

import { activeAuthority, type TrustState } from "../../src/core/trust/trust-state.ts";
import { bitOf, maskOf, type Leaf } from "./symbols.ts";

export class Exceptions {
  /** That were distrusted at once, or signed with before anybody had confirmed them. */
  roots = 0;
  /** Names. */
  waived = 0;
  forgotten = 0;
  readonly #serials = new Set<string>();
  readonly #ended = new Set<Leaf>();

  isPresenter({ rootBit, serial }: Leaf): boolean {
    return (rootBit & this.roots) !== 0 || this.#serials.has(serial);
  }

  /** Once it has ended by the clocks that the server knows, another clock brings it back to nobody. */
  hasEnded(leaf: Leaf, reckonedMs: number): boolean {
    if (reckonedMs >= leaf.notAfterMs) this.#ended.add(leaf);
    return this.#ended.has(leaf);
  }

  waiveLeaf(serial: string): void {
    this.#serials.add(serial);
  }

  compromised(before: TrustState, after: TrustState): void {
    const left = maskOf(after.authorities.map(({ root }) => root));
    for (const { root } of before.authorities) this.roots |= bitOf(root) & ~left;
    const { id, root } = activeAuthority(after);
    const was = before.authorities.find((each) => each.id === id)?.state;
    // One that is retiring was confirmed by all.
    if (was !== "active" && was !== "retiring") this.roots |= bitOf(root);
  }
}
