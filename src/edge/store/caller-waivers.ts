/** Waivers of callers at rest: for each target, whose calls or silence do not count, on whose word, and until when. */

import type { DatabaseSync } from "node:sqlite";
import { PortcullisError } from "../../core/error.ts";
import { durableTransaction } from "./durable.ts";

export interface CallerWaiver {
  /** As `targetKey` has it. */
  readonly target: string;
  /** As it was asked for: of the newest where several mean the same. */
  readonly targetText: string;
  /** As a verdict names a caller, or a proxy whose evidence is missing. */
  readonly name: string;
  readonly reason: string;
  /** Claimed. */
  readonly operator: string;
  readonly createdAtMs: number;
  readonly untilMs: number;
}

export class CallerWaiverError extends PortcullisError<"waivers-full"> {
  override name = "CallerWaiverError";
}

const waiversMax = 10_000;

export class StoredCallerWaivers {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** In the order of their targets and names. @throws whatever SQLite throws */
  all(): readonly CallerWaiver[] {
    const rows = this.#database.prepare("SELECT * FROM caller_waivers ORDER BY target, name").all();
    return rows.map((row) => ({
      target: String(row["target"]),
      targetText: String(row["target_text"]),
      name: String(row["name"]),
      reason: String(row["reason"]),
      operator: String(row["operator"]),
      createdAtMs: Number(row["created_at_ms"]),
      untilMs: Number(row["until_ms"]),
    }));
  }

  /** All of them or none; one that is there is replaced. @throws CallerWaiverError; whatever SQLite throws */
  add(waivers: readonly CallerWaiver[]): void {
    durableTransaction(this.#database, "caller-waivers-change", () => {
      const insert = this.#database.prepare(
        "INSERT OR REPLACE INTO caller_waivers VALUES (?, ?, ?, ?, ?, ?, ?)",
      );
      for (const { target, name, reason, operator, createdAtMs, untilMs, targetText } of waivers) {
        insert.run(target, name, reason, operator, createdAtMs, untilMs, targetText);
      }
      const count = this.#database.prepare("SELECT count(*) AS count FROM caller_waivers").get();
      if (Number(count?.["count"]) <= waiversMax) return;
      const message = `expected at most ${waiversMax} waivers of callers in all`;
      throw new CallerWaiverError("waivers-full", message, {
        hint: "waive fewer, or wait until some have ended",
      });
    });
  }

  /** Forgets those that end by then. @throws whatever SQLite throws */
  end(byMs: number): void {
    durableTransaction(this.#database, "caller-waivers-change", () => {
      this.#database.prepare("DELETE FROM caller_waivers WHERE until_ms <= ?").run(byMs);
    });
  }
}
