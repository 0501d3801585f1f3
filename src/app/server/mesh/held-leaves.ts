/**
 * The certificates that an agent says it serves. Its word, and no evidence: no gate asks for it. It decides only whom the
 * server asks to renew, and only what the log knows of: others are not to wait for what an agent made up.
 */

import type { HeldLeaf, HeldLeavesReport } from "../../../core/roll/evidence.ts";

/** What the log knows of a certificate. */
export interface LeafOwnership {
  readonly identity: string;
  /** One workload: a newer certificate of it takes the place of an older one. */
  readonly owner: string;
  /** The ID of the key that signed it: what the certificate says of its issuer may be another name of the same. */
  readonly signer: string;
}

/** A certificate that is to be renewed. */
export interface LeafToRenew extends HeldLeaf {
  readonly owner: string;
}

interface Kept extends HeldLeaf {
  ownership?: LeafOwnership;
}

type Owned = HeldLeaf & { readonly ownership: LeafOwnership };

/** A sidecar's agent has its own and some former ones. */
const ownMax = 64;
/** As many as a node agent may speak for, twice: a former one of each may still be in use. */
const nodeMax = 8_192;

export class HeldLeaves {
  readonly #max: number;
  readonly #held = new Map<string, Kept>();
  readonly #unknown = new Set<Kept>();

  /** @param isNodeAgent it holds those of many workloads */
  constructor(isNodeAgent: boolean) {
    this.#max = isNodeAgent ? nodeMax : ownMax;
  }

  get size(): number {
    return this.#held.size;
  }

  /** What is too much is passed over: a leaf that nobody asks about is renewed in its own time. */
  take({ full, held, dropped }: HeldLeavesReport, nowMs: number): void {
    if (full) for (const serialHex of this.#held.keys()) this.#drop(serialHex);
    for (const serialHex of dropped) this.#drop(serialHex);
    for (const leaf of held) {
      if (leaf.notAfterMs <= nowMs || this.#held.has(leaf.serialHex)) continue;
      if (this.#held.size >= this.#max) this.#prune(nowMs);
      if (this.#held.size >= this.#max) return;
      const kept = { ...leaf };
      this.#held.set(leaf.serialHex, kept);
      this.#unknown.add(kept);
    }
  }

  /** Looks up some whose owner is not known yet. @returns how many it looked up */
  lookUp(find: (serialHex: string) => LeafOwnership | undefined, max: number): number {
    let count = 0;
    for (const leaf of this.#unknown) {
      if (count >= max) break;
      count++;
      this.#unknown.delete(leaf);
      const found = find(leaf.serialHex);
      if (found === undefined) this.#held.delete(leaf.serialHex);
      else leaf.ownership = found;
    }
    return count;
  }

  /**
   * Of each workload the certificate that ends last, where none of these keys has signed that.
   * @param speaksFor whether the agent's word counts for an identity
   */
  toRenew(
    signers: ReadonlySet<string>,
    speaksFor: (identity: string) => boolean,
    nowMs: number,
  ): LeafToRenew[] {
    const newest = new Map<string, Owned>();
    for (const leaf of this.#held.values()) {
      const { ownership, notAfterMs } = leaf;
      if (ownership === undefined || notAfterMs <= nowMs) continue;
      const known = newest.get(ownership.owner);
      if (known !== undefined && known.notAfterMs >= notAfterMs) continue;
      if (speaksFor(ownership.identity)) newest.set(ownership.owner, { ...leaf, ownership });
    }
    return [...newest.values()].flatMap(({ ownership, ...leaf }) =>
      signers.has(ownership.signer) ? [] : [{ ...leaf, owner: ownership.owner }],
    );
  }

  #drop(serialHex: string): void {
    const leaf = this.#held.get(serialHex);
    if (leaf === undefined) return;
    this.#held.delete(serialHex);
    this.#unknown.delete(leaf);
  }

  #prune(nowMs: number): void {
    for (const [serialHex, { notAfterMs }] of this.#held) {
      if (notAfterMs <= nowMs) this.#drop(serialHex);
    }
  }
}
