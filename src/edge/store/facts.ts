/** Small facts that must outlive the process, each replaced whole. */

import type { DatabaseSync } from "node:sqlite";
import { durableTransaction } from "./durable.ts";

/**
 * - `log-checkpoint`: the newest that was kept here; the log must have got that far.
 * - `log-trust`: digest of the newest trust state that stands in the log.
 * - `log-policy`: digest of the newest issuance settings that stand in the log.
 * - `log-alarm`: kind of the newest proven alarm that no restore has settled since; "" for none.
 * - `log-contradictions`: checkpoints that agents have shown and the log does not go on from, and the longest lifetime that was signed with.
 * - `bundle-published`: digest of the roots that were published last, and the first index of the log that was free then.
 * - `offline-keys`: IDs of keys that wait for an offline root's certificate, the oldest first.
 * - `clock-skew`: the greatest difference to an agent's clock that was seen, and when.
 * - `clock-proven`: the newest time that more than the wall clock has said, and whether the wall clock was ahead of it.
 * - `trust-secret`: this directory's name in a cluster's Secret, and what that was seen to have last.
 * - `clock-accepted`: what the wall clock said, and the log's time, when an operator accepted it.
 */
export type Fact =
  | "log-restores"
  | "log-checkpoint"
  | "log-trust"
  | "log-policy"
  | "clock-accepted"
  | "log-alarm"
  | "log-contradictions"
  | "clock-skew"
  | "clock-proven"
  | "bundle-published"
  | "offline-keys"
  | "trust-secret";

export class Facts {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws whatever SQLite throws */
  recall(fact: Fact): string | undefined {
    const row = this.#database.prepare("SELECT value FROM meta WHERE key = ?").get(fact);
    return row === undefined ? undefined : String(row["value"]);
  }

  /** Durable when it returns. @throws whatever SQLite throws */
  remember(fact: Fact, value: string): void {
    durableTransaction(this.#database, "fact-remember", () => {
      this.#database
        .prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)")
        .run(fact, value);
    });
  }
}
