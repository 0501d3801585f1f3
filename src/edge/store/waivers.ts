/** Waivers at rest: for each name, who goes on without its evidence, why, and until when. */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { PortcullisError } from "../../core/error.ts";
import { durableTransaction } from "./durable.ts";

export interface Waiver {
  /** A laggard's, exactly. */
  readonly name: string;
  readonly reason: string;
  /** Claimed. */
  readonly operator: string;
  readonly createdAtMs: number;
  readonly untilMs: number;
  /** The trust state's, of the roots that it was given for: of other roots it says nothing. */
  readonly rootsSequence: bigint;
}

export class WaiverError extends PortcullisError<"waivers-full"> {
  override name = "WaiverError";
}

const waiversMax = 10_000;

export class StoredWaivers {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** In the order of their names. @throws whatever SQLite throws */
  all(): readonly Waiver[] {
    return this.#database.prepare("SELECT * FROM waivers ORDER BY name").all().map(waiverOf);
  }

  /** All of them or none; one that is there is replaced. @throws WaiverError; whatever SQLite throws */
  add(waivers: readonly Waiver[]): void {
    durableTransaction(this.#database, "waivers-change", () => {
      const insert = this.#database.prepare(
        "INSERT OR REPLACE INTO waivers VALUES (?, ?, ?, ?, ?, ?)",
      );
      for (const { name, reason, operator, createdAtMs, untilMs, rootsSequence } of waivers) {
        insert.run(name, reason, operator, createdAtMs, untilMs, String(rootsSequence));
      }
      const count = this.#database.prepare("SELECT count(*) AS count FROM waivers").get()?.[
        "count"
      ];
      if (Number(count) <= waiversMax) return;
      throw new WaiverError("waivers-full", `expected at most ${waiversMax} waivers in all`, {
        hint: "waive a class of them, or wait until some have ended",
      });
    });
  }

  /** Forgets those that end by then, and those of other roots. @throws whatever SQLite throws */
  end(byMs: number, rootsSequence: bigint): void {
    durableTransaction(this.#database, "waivers-change", () => {
      this.#database
        .prepare("DELETE FROM waivers WHERE until_ms <= ? OR roots_sequence <> ?")
        .run(byMs, String(rootsSequence));
    });
  }

  /** Forgets all of them. @throws whatever SQLite throws */
  endAll(): void {
    durableTransaction(this.#database, "waivers-change", () => {
      this.#database.prepare("DELETE FROM waivers").run();
    });
  }
}

function waiverOf(row: Record<string, SQLOutputValue>): Waiver {
  return {
    name: String(row["name"]),
    reason: String(row["reason"]),
    operator: String(row["operator"]),
    createdAtMs: Number(row["created_at_ms"]),
    untilMs: Number(row["until_ms"]),
    rootsSequence: BigInt(String(row["roots_sequence"])),
  };
}
