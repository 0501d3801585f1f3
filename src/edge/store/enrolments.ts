/**
 * Certificates that may be renewed without a token, each by its serial. A chain of renewals is that
 * of its join token, and keeps its last few only: whoever renews without end fills nothing, and a
 * reply that was lost can be asked for again with the certificate before it.
 */

import type { DatabaseSync } from "node:sqlite";
import { enrolmentEndMs, type Enrolment } from "../../core/identity/enrolment.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { durableTransaction } from "./durable.ts";

const PER_CHAIN_MAX = 16;

export class Enrolments {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Durable when it returns. @throws whatever SQLite throws */
  add({ serialHex, id, joinTokenId, enrolledAtMs, notAfterMs }: Enrolment): void {
    durableTransaction(this.#database, "enrolment-add", () => {
      this.#database
        .prepare(
          "INSERT INTO enrolments" +
            " (serial_hex, join_token_id, spiffe_id, token_at_ms, not_after_ms)" +
            " VALUES (?, ?, ?, ?, ?)",
        )
        .run(serialHex, joinTokenId, id.toString(), enrolledAtMs, notAfterMs);
      this.#database
        .prepare(
          "DELETE FROM enrolments WHERE rowid IN (SELECT rowid FROM enrolments" +
            " WHERE join_token_id = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
        )
        .run(joinTokenId, PER_CHAIN_MAX);
    });
  }

  /** @throws whatever SQLite throws */
  find(serialHex: string): Enrolment | undefined {
    const row = this.#database
      .prepare(
        "SELECT join_token_id, spiffe_id, token_at_ms, not_after_ms FROM enrolments" +
          " WHERE serial_hex = ?",
      )
      .get(serialHex);
    if (row === undefined) return undefined;
    return {
      serialHex,
      id: SpiffeId.parse(String(row["spiffe_id"])),
      joinTokenId: String(row["join_token_id"]),
      enrolledAtMs: Number(row["token_at_ms"]),
      notAfterMs: Number(row["not_after_ms"]),
    };
  }

  /** Forgets what can no longer be renewed. */
  prune(nowMs: number): void {
    durableTransaction(this.#database, "enrolment-prune", () => {
      this.#database
        .prepare("DELETE FROM enrolments WHERE not_after_ms <= ? OR token_at_ms <= ?")
        .run(nowMs, nowMs - enrolmentEndMs(0));
    });
  }
}
