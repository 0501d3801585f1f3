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
  /** On which it hangs, as the log has it: what the certificate says of its issuer may be another name of the same. */
  readonly root: string;
}

/** A certificate that the log knows. */
export interface KnownLeaf extends HeldLeaf {
  readonly ownership: LeafOwnership;
}

interface Kept extends HeldLeaf {
  ownership?: LeafOwnership;
}

/** A sidecar's agent has its own and some former ones. */
const ownMax = 64;
/** As many as a node agent may speak for, twice: a former one of each may still be in use. */
const nodeMax = 8_192;

export class HeldLeaves {
  readonly #max: number;
  readonly #held = new Map<string, Kept>();
  readonly #unknown = new Set<Kept>();
  /** Of each workload the certificate that ends last; made once for the many looks between two changes. */
  #newest: readonly KnownLeaf[] | undefined;

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
    if (count > 0) this.#newest = undefined;
    return count;
  }

  /**
   * Of each workload the certificate that ends last, where that hangs on another root.
   * @param speaksFor whether the agent's word counts for an identity
   */
  toRenew(
    root: string,
    speaksFor: (identity: string) => boolean,
    nowMs: number,
  ): readonly KnownLeaf[] {
    this.#newest ??= newestOfEach(this.#held.values());
    return this.#newest.filter(
      ({ ownership, notAfterMs }) =>
        notAfterMs > nowMs && ownership.root !== root && speaksFor(ownership.identity),
    );
  }

  #drop(serialHex: string): void {
    const leaf = this.#held.get(serialHex);
    if (leaf === undefined) return;
    this.#held.delete(serialHex);
    this.#unknown.delete(leaf);
    this.#newest = undefined;
  }

  #prune(nowMs: number): void {
    for (const [serialHex, { notAfterMs }] of this.#held) {
      if (notAfterMs <= nowMs) this.#drop(serialHex);
    }
  }
}

/** Where the newest has expired, all have. */
function newestOfEach(held: Iterable<Kept>): readonly KnownLeaf[] {
  const newest = new Map<string, KnownLeaf>();
  for (const leaf of held) {
    if (!isKnown(leaf)) continue;
    const { owner } = leaf.ownership;
    if (leaf.notAfterMs > (newest.get(owner)?.notAfterMs ?? 0)) newest.set(owner, leaf);
  }
  return [...newest.values()];
}

function isKnown(leaf: Kept): leaf is Kept & KnownLeaf {
  return leaf.ownership !== undefined;
}
