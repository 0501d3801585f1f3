/**
 * The Merkle tree of RFC 6962 2.1 (RFC 9162 2.1 is the same): hashes, and the frontier, which is all of a tree that has
 * to be known to add to it.
 */

import { hash } from "node:crypto";
import { LogError } from "./log-error.ts";

export const HASH_BYTES = 32;

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** MTH({}): SHA-256 of nothing. */
export const emptyRoot: Uint8Array = hash("sha256", "", "buffer");

/** The root of the complete subtree number `index` of 2^`level` leaves. */
export type SubtreeReader = (level: number, index: number) => Uint8Array;

/** MTH({d}) = SHA-256(0x00 || d). */
export function leafHash(data: Uint8Array): Uint8Array {
  const leaf = Buffer.allocUnsafe(1 + data.length);
  leaf[0] = LEAF_PREFIX;
  leaf.set(data, 1);
  return hash("sha256", leaf, "buffer");
}

/** SHA-256(0x01 || left || right), both of 32 octets. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const node = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  node[0] = NODE_PREFIX;
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash("sha256", node, "buffer");
}

/**
 * The roots of the complete subtrees that a tree consists of, largest first: one for each bit that is set in its size.
 * Changed in place by `append`.
 */
export class Frontier {
  readonly #hashes: Uint8Array[];
  #size: number;

  private constructor(size: number, hashes: Uint8Array[]) {
    this.#size = size;
    this.#hashes = hashes;
  }

  /** @throws LogError `log-tree-invalid` if a tree of that size has not that many subtrees */
  static of(size: number, hashes: readonly Uint8Array[]): Frontier {
    const count = completeSubtrees(0, size).length;
    if (hashes.length !== count || hashes.some(({ length }) => length !== HASH_BYTES)) {
      throw new LogError(
        "log-tree-invalid",
        `expected ${count} hashes of ${HASH_BYTES} octets for a tree of ${size}, got ${hashes.length}`,
      );
    }
    return new Frontier(size, [...hashes]);
  }

  /** @throws LogError `log-tree-invalid` */
  static read(size: number, read: SubtreeReader): Frontier {
    return Frontier.of(
      size,
      completeSubtrees(0, size).map(({ level, index }) => read(level, index)),
    );
  }

  get size(): number {
    return this.#size;
  }

  get hashes(): readonly Uint8Array[] {
    return [...this.#hashes];
  }

  /** Each bit that is carried out of the size joins two subtrees of one size. */
  append(leaf: Uint8Array): void {
    let subtree = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      subtree = nodeHash(this.#hashes.pop() ?? subtree, subtree);
    }
    this.#hashes.push(subtree);
    this.#size += 1;
  }

  root(): Uint8Array {
    return joinSubtrees(this.#hashes);
  }
}

/** The complete subtrees that cover leaves `start` to `end`, left to right, as large as they can be. */
export function completeSubtrees(
  start: number,
  end: number,
): readonly { readonly level: number; readonly index: number }[] {
  if (!isSize(start) || !isSize(end) || end < start) {
    throw new LogError("log-tree-invalid", `expected a range of leaves, got ${start} to ${end}`);
  }
  const subtrees: { readonly level: number; readonly index: number }[] = [];
  for (let at = start; at < end;) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level++;
    subtrees.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return subtrees;
}

/** The root over subtrees that shrink from left to right, which is the shape of every tree (RFC 6962 2.1). */
export function joinSubtrees(subtrees: readonly Uint8Array[]): Uint8Array {
  const last = subtrees.at(-1);
  if (last === undefined) return emptyRoot;
  return subtrees.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
}

/** Sizes of trees, and indices of entries, are exact up to 2^53. */
export function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
