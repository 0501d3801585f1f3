/** Whose Envoys ask for a policy: known once a certificate says so, and for good. */

import type { SpiffeId } from "../../../core/spiffe/id.ts";

export class PolicyOwner {
  #id: SpiffeId | undefined;
  readonly #waiting = new Set<(id: SpiffeId) => void>();

  /** Of a certificate that was verified. The first one counts: its namesakes may come often. */
  know(id: SpiffeId): void {
    if (this.#id !== undefined) return;
    this.#id = id;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback(id);
  }

  /** Calls back at once, or later. @returns what ends the waiting */
  whenKnown(callback: (id: SpiffeId) => void): () => void {
    if (this.#id === undefined) this.#waiting.add(callback);
    else callback(this.#id);
    return () => void this.#waiting.delete(callback);
  }
}
