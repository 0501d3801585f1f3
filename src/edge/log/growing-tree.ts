/** The right edge of the tree, in memory: all that is needed to add entries, and to know which tiles they fill. */

import { Frontier, HASH_BYTES } from "../../core/log/merkle.ts";
import { foldHashes, tileWidth, TILE_WIDTH } from "../../core/log/tile.ts";
import type { TileSource } from "./tile-source.ts";

interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly root: Uint8Array;
  readonly hashes: Uint8Array;
}

export class GrowingTree {
  readonly #frontier: Frontier;
  /** The partial tile of each level; how much of it counts follows from the size. */
  readonly #partial: Uint8Array[] = [];

  private constructor(frontier: Frontier) {
    this.#frontier = frontier;
  }

  /** @throws RangeError when tiles or entries are missing; what SQLite throws */
  static load(source: TileSource, size: number): GrowingTree {
    const tree = new GrowingTree(Frontier.read(size, source.subtrees(size)));
    for (let level = 0; size >= TILE_WIDTH ** level; level++) {
      const index = Math.floor(size / TILE_WIDTH ** (level + 1));
      const width = tileWidth(level, index, size);
      const tile = new Uint8Array(TILE_WIDTH * HASH_BYTES);
      if (width > 0) tile.set(source.hashes(level, index, width));
      tree.#partial.push(tile);
    }
    return tree;
  }

  get size(): number {
    return this.#frontier.size;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  /** Gives the tiles that are full with it, from below. */
  append(leaf: Uint8Array): readonly FullTile[] {
    this.#frontier.append(leaf);
    const full: FullTile[] = [];
    let hash = leaf;
    for (let level = 0; ; level++) {
      const count = this.size / TILE_WIDTH ** level;
      const tile = (this.#partial[level] ??= new Uint8Array(TILE_WIDTH * HASH_BYTES));
      tile.set(hash, ((count - 1) % TILE_WIDTH) * HASH_BYTES);
      if (count % TILE_WIDTH !== 0) return full;
      hash = foldHashes(tile);
      full.push({ level, index: count / TILE_WIDTH - 1, root: hash, hashes: tile.slice() });
    }
  }
}
