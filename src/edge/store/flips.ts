/** Flips at rest: those under way, and the last one of each target. Each is written whole, and what it says is core's (`flip-codec`). */

import type { DatabaseSync } from "node:sqlite";
import { durableTransaction } from "./durable.ts";
import { unreadable } from "./store-error.ts";

export interface FlipAtRest {
  readonly id: number;
  readonly document: string;
}

export class StoredFlips {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** In the order in which they began. @throws StoreError `store-unreadable` */
  all(): readonly FlipAtRest[] {
    try {
      return this.#database
        .prepare("SELECT id, document FROM flips ORDER BY id")
        .all()
        .map(({ id, document }) => ({ id: Number(id), document: String(document) }));
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  /**
   * In the place of the one of its id. Durable when it returns.
   * @param forgotten ids of those that are not asked for any more
   * @throws whatever SQLite throws
   */
  put({ id, document }: FlipAtRest, forgotten: readonly number[]): void {
    durableTransaction(this.#database, "flip-change", () => {
      const forget = this.#database.prepare("DELETE FROM flips WHERE id = ?");
      for (const each of forgotten) forget.run(each);
      this.#database.prepare("INSERT OR REPLACE INTO flips VALUES (?, ?)").run(id, document);
    });
  }
}
