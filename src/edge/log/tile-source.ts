/**
 * The tree's hashes, from the database: full tiles as they are stored, partial ones from the entries (level 0) or from
 * the roots of the tiles below. What is asked for must be within the log's size.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { HASH_BYTES, leafHash, type SubtreeReader } from "../../core/log/merkle.ts";
import { foldHashes, tileSpan, tileWidth, TILE_WIDTH } from "../../core/log/tile.ts";

export class TileSource {
  readonly #hashes: StatementSync;
  readonly #roots: StatementSync;
  readonly #entries: StatementSync;

  constructor(database: DatabaseSync) {
    this.#hashes = database.prepare("SELECT hashes FROM tiles WHERE level = ? AND idx = ?");
    this.#roots = database.prepare(
      "SELECT root AS part FROM tiles WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx",
    );
    this.#entries = database.prepare(
      "SELECT data AS part FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
  }

  /** The first `width` hashes of a tile, one after another. @throws RangeError when they are not all there */
  hashes(level: number, index: number, width: number): Uint8Array {
    const stored = this.#hashes.get(level, index)?.["hashes"];
    if (stored instanceof Uint8Array) return stored.subarray(0, width * HASH_BYTES);
    const from = index * TILE_WIDTH;
    const rows =
      level === 0
        ? this.#entries.all(from, from + width)
        : this.#roots.all(level - 1, from, from + width);
    const hashes = new Uint8Array(width * HASH_BYTES);
    if (rows.length !== width) throw missing(level, index, width, rows.length);
    for (const [position, { part }] of rows.entries()) {
      if (!(part instanceof Uint8Array)) throw missing(level, index, width, position);
      hashes.set(level === 0 ? leafHash(part) : part, position * HASH_BYTES);
    }
    return hashes;
  }

  /** For the proofs of one tree: reads each tile once. */
  subtrees(size: number): SubtreeReader {
    const tiles = new Map<string, Uint8Array>();
    return (level, index) => {
      const span = tileSpan(level, index);
      const name = `${span.level}/${span.index}`;
      const width = tileWidth(span.level, span.index, size);
      const hashes = tiles.get(name) ?? this.hashes(span.level, span.index, width);
      tiles.set(name, hashes);
      const end = (span.start + span.count) * HASH_BYTES;
      if (end > hashes.length) throw missing(span.level, span.index, end / HASH_BYTES, width);
      return foldHashes(hashes.subarray(span.start * HASH_BYTES, end));
    };
  }
}

function missing(level: number, index: number, expected: number, got: number): RangeError {
  return new RangeError(`expected ${expected} hashes of tile ${level}/${index}, got ${got}`);
}
