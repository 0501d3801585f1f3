/**
 * The unexpired certificates of workloads by the key that signed them: numbers only, for there may be a million. Made like
 * the owners, and with them.
 */

import { endOf, skewMaxMs, type LeafRecord } from "./leaf-record.ts";

export interface SignerHolders {
  /** The signing key's ID. */
  readonly signer: string;
  readonly count: number;
  readonly lastNotAfterMs: number;
}

const leavesMax = 2_000_000;

export class LeafHolders {
  readonly #max: number;
  /** By signer: the index of the intent, and when the certificate ends. */
  readonly #bySigner = new Map<string, Map<number, number>>();
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
  add({ signer, intentIndex, notAfterMs }: LeafRecord): void {
    const leaves = this.#bySigner.get(signer) ?? new Map<number, number>();
    if (!leaves.has(intentIndex)) {
      if (this.#size >= this.#max) {
        this.#missedUntilMs = Math.max(this.#missedUntilMs, notAfterMs);
        return;
      }
      this.#size += 1;
    }
    this.#bySigner.set(signer, leaves);
    leaves.set(intentIndex, notAfterMs);
    this.#lastNotAfterMs.set(signer, Math.max(this.lastNotAfterMs(signer), notAfterMs));
  }

  /** 0 for none. */
  lastNotAfterMs(signer: string): number {
    return this.#lastNotAfterMs.get(signer) ?? 0;
  }

  signers(): MapIterator<string> {
    return this.#bySigner.keys();
  }

  /** Index of the intent and end of each, the expired ones included that are not forgotten yet. */
  leavesOf(signer: string): ReadonlyMap<number, number> {
    return this.#bySigner.get(signer) ?? new Map<number, number>();
  }

  /** For people. */
  summary(nowMs: number): SignerHolders[] {
    return [...this.#bySigner].map(([signer, leaves]) => ({
      signer,
      count: Array.from(leaves.values()).filter((notAfterMs) => nowMs <= notAfterMs).length,
      lastNotAfterMs: this.lastNotAfterMs(signer),
    }));
  }

  prune(nowMs: number): void {
    for (const [signer, leaves] of this.#bySigner) {
      for (const [index, notAfterMs] of leaves) {
        if (nowMs < endOf(notAfterMs, skewMaxMs)) continue;
        leaves.delete(index);
        this.#size -= 1;
      }
      if (leaves.size > 0) continue;
      this.#bySigner.delete(signer);
      this.#lastNotAfterMs.delete(signer);
    }
  }
}
