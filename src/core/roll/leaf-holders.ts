/**
 * The unexpired certificates of workloads by the root that they hang on: numbers only, for there may be a million. Made like
 * the owners, and with them.
 */

import { endOf, skewMaxMs, type LeafRecord } from "./leaf-record.ts";

const leavesMax = 2_000_000;

export class LeafHolders {
  readonly #max: number;
  /** By root: the index of the intent, and when the certificate ends. */
  readonly #byRoot = new Map<string, Map<number, number>>();
  readonly #lastNotAfterMs = new Map<string, number>();
  #size = 0;
  #isBuilt = false;
  #missedUntilMs = 0;

  constructor(max: number = leavesMax) {
    this.#max = max;
  }

  /** As those of `LeafOwners`. */
  get isBuilt(): boolean {
    return this.#isBuilt;
  }

  get missedUntilMs(): number {
    return this.#missedUntilMs;
  }

  built(): void {
    this.#isBuilt = true;
  }

  /** As `LeafOwners.add`. */
  add({ root, intentIndex, notAfterMs }: LeafRecord): void {
    const leaves = this.#byRoot.get(root) ?? new Map<number, number>();
    if (!leaves.has(intentIndex)) {
      if (this.#size >= this.#max) {
        this.#missedUntilMs = Math.max(this.#missedUntilMs, notAfterMs);
        return;
      }
      this.#size += 1;
    }
    this.#byRoot.set(root, leaves);
    leaves.set(intentIndex, notAfterMs);
    this.#lastNotAfterMs.set(root, Math.max(this.lastNotAfterMs(root), notAfterMs));
  }

  /** 0 for none. */
  lastNotAfterMs(root: string): number {
    return this.#lastNotAfterMs.get(root) ?? 0;
  }

  /** Index of the intent and end of each, the expired ones included that are not forgotten yet. */
  leavesOf(root: string): ReadonlyMap<number, number> {
    return this.#byRoot.get(root) ?? new Map<number, number>();
  }

  prune(nowMs: number): void {
    for (const [root, leaves] of this.#byRoot) {
      for (const [index, notAfterMs] of leaves) {
        if (nowMs < endOf(notAfterMs, skewMaxMs)) continue;
        leaves.delete(index);
        this.#size -= 1;
      }
      if (leaves.size > 0) continue;
      this.#byRoot.delete(root);
      this.#lastNotAfterMs.delete(root);
    }
  }
}
