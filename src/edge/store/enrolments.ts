/**
 * Certificates that may be renewed without a token, each by its serial. A chain of renewals keeps
 * its last few only: whoever renews without end fills nothing, and a reply that was lost can be
 * asked for again with the certificate before it.
 */

import type { DatabaseSync } from "node:sqlite";
import { enrolmentEndMs, type Enrolment } from "../../core/identity/enrolment.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { transaction } from "./transaction.ts";

const PER_CHAIN_MAX = 16;

export class Enrolments {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Durable when it returns. @throws whatever SQLite throws */
  add({ serialHex, id, enrolledAtMs, notAfterMs }: Enrolment): void {
    const chain = [id.toString(), enrolledAtMs] as const;
    transaction(this.#database, () => {
      this.#database
        .prepare(
          "INSERT INTO enrolments (serial_hex, spiffe_id, token_at_ms, not_after_ms)" +
            " VALUES (?, ?, ?, ?)",
        )
        .run(serialHex, ...chain, notAfterMs);
      this.#database
        .prepare(
          "DELETE FROM enrolments WHERE rowid IN (SELECT rowid FROM enrolments" +
            " WHERE spiffe_id = ? AND token_at_ms = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
        )
        .run(...chain, PER_CHAIN_MAX);
    });
  }

  /** @throws whatever SQLite throws */
  find(serialHex: string): Enrolment | undefined {
    const row = this.#database
      .prepare("SELECT spiffe_id, token_at_ms, not_after_ms FROM enrolments WHERE serial_hex = ?")
      .get(serialHex);
    if (row === undefined) return undefined;
    return {
      serialHex,
      id: SpiffeId.parse(String(row["spiffe_id"])),
      enrolledAtMs: Number(row["token_at_ms"]),
      notAfterMs: Number(row["not_after_ms"]),
    };
  }

  /** Forgets what can no longer be renewed. */
  prune(nowMs: number): void {
    this.#database
      .prepare("DELETE FROM enrolments WHERE not_after_ms <= ? OR token_at_ms <= ?")
      .run(nowMs, nowMs - enrolmentEndMs(0));
  }
}
