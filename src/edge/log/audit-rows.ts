/** What an audit reads of the log's tables, as it is stored. */

import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";

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
