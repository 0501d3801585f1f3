/** Checks the stored tiles: with the root that they lead to, no hash of any of them can be another than it was. */

import type { DatabaseSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { HASH_BYTES } from "../../core/log/merkle.ts";
import { foldHashes, TILE_WIDTH } from "../../core/log/tile.ts";
import { GrowingTree } from "./growing-tree.ts";
import { TileSource } from "./tile-source.ts";

/** What is wrong with the first tile that is wrong. @throws what SQLite throws */
export function tileFault(
  database: DatabaseSync,
  size: number,
  root: Uint8Array,
): string | undefined {
  const tile = database.prepare("SELECT root, hashes FROM tiles WHERE level = ? AND idx = ?");
  const rootOf = (level: number, index: number): unknown => tile.get(level, index)?.["root"];
  for (let level = 0; size >= TILE_WIDTH ** (level + 1); level++) {
    const count = Math.floor(size / TILE_WIDTH ** (level + 1));
    for (let index = 0; index < count; index++) {
      const stored = tile.get(level, index);
      const name = `tile ${level}/${index}`;
      const [hashes, folded] = [stored?.["hashes"], stored?.["root"]];
      if (!(hashes instanceof Uint8Array) || !(folded instanceof Uint8Array)) {
        return `${name} is missing`;
      }
      if (!equalBytes(foldHashes(hashes), folded)) return `${name} does not have its root`;
      if (level === 0) continue;
      for (let child = 0; child < TILE_WIDTH; child++) {
        const expected = rootOf(level - 1, index * TILE_WIDTH + child);
        const actual = hashes.subarray(child * HASH_BYTES, (child + 1) * HASH_BYTES);
        if (expected instanceof Uint8Array && equalBytes(expected, actual)) continue;
        return `${name} is not made of the tiles below`;
      }
    }
  }
  const tree = GrowingTree.load(new TileSource(database), size);
  return equalBytes(tree.root(), root) ? undefined : "the tiles do not lead to the root";
}
