/** What an audit reads of the log's tables, as it is stored. */

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { equalBytes } from "../../core/bytes.ts";
import { HASH_BYTES, leafHash } from "../../core/log/merkle.ts";
import { TILE_WIDTH } from "../../core/log/tile.ts";

export interface HeadRow {
  /** The last checkpoint's signed note. */
  readonly note: string;
  readonly size: number;
  readonly openFrom: number;
  readonly prunedTo: number;
  readonly verifierKey: string;
}

/** How far the rows of the tables go: what the head must say. */
export interface RowsEnd {
  /** After the last entry. */
  readonly size: number;
  /** After the last entry that the index of certificates names. */
  readonly indexed: number;
  /** By that index; undefined when none is open. */
  readonly firstOpen: number | undefined;
}

export class AuditRows {
  readonly #database: DatabaseSync;
  readonly #head: StatementSync;
  readonly #end: StatementSync;
  readonly #entries: StatementSync;
  readonly #indexes: StatementSync;
  readonly #leaves: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#head = database.prepare(
      "SELECT checkpoint, size, open_from, pruned_to, verifier_key FROM head",
    );
    this.#end = database.prepare(
      "SELECT (SELECT max(idx) FROM entries) AS last," +
        " max(max(intent, coalesce(result, 0))) AS indexed," +
        " min(intent) FILTER (WHERE result IS NULL) AS first_open FROM certificates",
    );
    this.#entries = database.prepare(
      "SELECT data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
    this.#indexes = database.prepare("SELECT idx FROM entries WHERE idx >= ? AND idx < ?");
    this.#leaves = database.prepare("SELECT hashes FROM tiles WHERE level = 0 AND idx = ?");
  }

  head(): HeadRow {
    const row = this.#head.get();
    return {
      note: String(row?.["checkpoint"]),
      size: Number(row?.["size"]),
      openFrom: Number(row?.["open_from"]),
      prunedTo: Number(row?.["pruned_to"]),
      verifierKey: String(row?.["verifier_key"]),
    };
  }

  /** Reads the whole index of certificates. */
  end(): RowsEnd {
    const { last = null, indexed = null, first_open = null } = this.#end.get() ?? {};
    return {
      size: afterOf(last),
      indexed: afterOf(indexed),
      firstOpen: first_open === null ? undefined : Number(first_open),
    };
  }

  /** Those that are there. */
  entries(from: number, to: number): readonly Uint8Array[] {
    const rows = this.#entries.all(from, to);
    return rows.map(({ data }) => data).filter((data) => data instanceof Uint8Array);
  }

  /** Of those that are not there the first. */
  firstMissing(from: number, to: number): number {
    const found = new Set(this.#indexes.all(from, to).map(({ idx }) => Number(idx)));
    let index = from;
    while (index < to && found.has(index)) index++;
    return index;
  }

  /**
   * The first entry that is not the one whose hash stands in its tile; undefined where all are, as far as tiles are full.
   * Only for a log whose root is wrong: it reads all of it.
   */
  firstChanged(size: number): number | undefined {
    for (let from = 0; from + TILE_WIDTH <= size; from += TILE_WIDTH) {
      const leaves = this.leaves(from / TILE_WIDTH);
      const entries = this.entries(from, from + TILE_WIDTH);
      if (leaves === undefined || entries.length < TILE_WIDTH) continue;
      const position = entries.findIndex((data, at) => {
        const leaf = leaves.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
        return !equalBytes(leafHash(data), leaf);
      });
      if (position !== -1) return from + position;
    }
    return undefined;
  }

  /** The hashes of a full tile of level 0. */
  leaves(tile: number): Uint8Array | undefined {
    const hashes = this.#leaves.get(tile)?.["hashes"];
    return hashes instanceof Uint8Array ? hashes : undefined;
  }

  /** Nothing is forgotten meanwhile. */
  atOnce<T>(work: () => T): T {
    this.#database.exec("BEGIN");
    try {
      return work();
    } finally {
      this.#database.exec("ROLLBACK");
    }
  }

  /** SQLite's own opinion of its file: `ok`, or the first thing that is wrong. */
  integrity(): string {
    const row = this.#database.prepare("PRAGMA integrity_check(1)").get();
    return String(row?.["integrity_check"]);
  }
}

function afterOf(index: SQLOutputValue): number {
  return index === null ? 0 : Number(index) + 1;
}
