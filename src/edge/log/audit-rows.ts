/** What an audit reads of the log's tables, as it is stored. */

import type { DatabaseSync, StatementSync } from "node:sqlite";

export class AuditRows {
  readonly #database: DatabaseSync;
  readonly #head: StatementSync;
  readonly #entries: StatementSync;
  readonly #leaves: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#head = database.prepare("SELECT checkpoint, pruned_to FROM head");
    this.#entries = database.prepare(
      "SELECT data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
    this.#leaves = database.prepare("SELECT hashes FROM tiles WHERE level = 0 AND idx = ?");
  }

  head(): { readonly note: string; readonly prunedTo: number } {
    const row = this.#head.get();
    return { note: String(row?.["checkpoint"]), prunedTo: Number(row?.["pruned_to"]) };
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
