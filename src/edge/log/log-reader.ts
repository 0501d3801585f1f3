/**
 * Reads the log: in any thread and any process, also while the server writes, and from a copy. Nothing that it has once
 * read changes, except that old entries may be forgotten.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { consistencyProof, inclusionProof } from "../../core/log/proof.ts";
import { encodeEntryBundle, tileWidth, TILE_WIDTH } from "../../core/log/tile.ts";
import { CertificateIndex } from "./certificate-index.ts";
import { logPath, openForReading } from "./log-database.ts";
import { TileSource } from "./tile-source.ts";

export interface LogHead {
  readonly size: number;
  /** The signed note. */
  readonly checkpoint: string;
  /** The data of the entries before it is gone. */
  readonly prunedTo: number;
}

export interface StoredEntry {
  readonly index: number;
  readonly data: Uint8Array;
}

const CHUNK = 256;

export class LogReader implements Disposable {
  readonly #database: DatabaseSync;
  readonly #head: StatementSync;
  readonly #entries: StatementSync;
  readonly #tiles: TileSource;
  readonly certificates: CertificateIndex;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#head = database.prepare("SELECT size, checkpoint, pruned_to FROM head");
    this.#entries = database.prepare(
      "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
    this.#tiles = new TileSource(database);
    this.certificates = new CertificateIndex(database);
  }

  /** @throws LogError `log-lost`, `log-newer`, `log-unreadable` */
  static open(dataDir: string): LogReader {
    return new LogReader(openForReading(logPath(dataDir)));
  }

  head(): LogHead {
    const row = this.#head.get();
    return {
      size: Number(row?.["size"]),
      checkpoint: String(row?.["checkpoint"]),
      prunedTo: Number(row?.["pruned_to"]),
    };
  }

  /** As text. Proves nothing by itself: whoever can exchange the log can exchange it, too. */
  verifierKey(): string {
    const row = this.#database.prepare("SELECT verifier_key FROM head").get();
    return String(row?.["verifier_key"]);
  }

  /** Undefined when it is not there yet, or not any more. */
  entry(index: number): Uint8Array | undefined {
    return this.#read(index, index + 1)[0]?.data;
  }

  /** Those that are there, from an index on. Others may be written, and forgotten, while it runs. */
  *entries(from: number, limit: number): Generator<StoredEntry> {
    for (let start = from; start < from + limit;) {
      const end = Math.min(start + CHUNK, from + limit);
      const chunk = this.#read(start, end);
      yield* chunk;
      start = end;
      if (chunk.length === 0 && end >= this.head().size) return;
    }
  }

  /** Hashes of a tile (C2SP tlog-tiles). Undefined unless there are `width`. */
  tile(level: number, index: number, width: number): Uint8Array | undefined {
    if (!isWidth(width) || tileWidth(level, index, this.head().size) < width) return undefined;
    return this.#tiles.hashes(level, index, width);
  }

  /** Entries of a tile (C2SP tlog-tiles). Undefined unless there are `width`. */
  entryBundle(index: number, width: number): Uint8Array | undefined {
    if (!isWidth(width)) return undefined;
    const from = index * TILE_WIDTH;
    const entries = this.#read(from, from + width);
    return entries.length === width
      ? encodeEntryBundle(entries.map(({ data }) => data))
      : undefined;
  }

  /** @throws RangeError for a size that the log does not have; LogError as `inclusionProof` does */
  inclusion(index: number, size: number): readonly Uint8Array[] {
    return inclusionProof(index, size, this.#tiles.subtrees(this.#expectSize(size)));
  }

  /** @throws RangeError for a size that the log does not have; LogError as `consistencyProof` does */
  consistency(oldSize: number, newSize: number): readonly Uint8Array[] {
    return consistencyProof(oldSize, newSize, this.#tiles.subtrees(this.#expectSize(newSize)));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #read(from: number, to: number): readonly StoredEntry[] {
    return this.#entries.all(from, to).map(({ idx, data }) => {
      if (!(data instanceof Uint8Array)) throw new TypeError(`expected bytes at ${Number(idx)}`);
      return { index: Number(idx), data };
    });
  }

  #expectSize(size: number): number {
    const head = this.head().size;
    if (Number.isSafeInteger(size) && size >= 0 && size <= head) return size;
    throw new RangeError(`expected a size up to ${head}, got ${size}`);
  }
}

function isWidth(width: number): boolean {
  return Number.isInteger(width) && width >= 1 && width <= TILE_WIDTH;
}
