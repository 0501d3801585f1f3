/** Forgets what is older than is kept, a piece at a time, and counts what is left: others are heard in between. */

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { durableTransaction } from "../store/durable.ts";
import { hourMs } from "./evidence-change.ts";
import { IdentityShares } from "./identity-shares.ts";
import { octetsOfCallers, octetsOfMembers } from "./row-octets.ts";

/** Callers or members. */
const pieceMax = 1_000;

type Table = "callers" | "members";

/** Of a caller that is kept the newest of the old hours stays: later totals go on from there. */
const oldHours =
  "DELETE FROM hours WHERE (caller, hour) IN (SELECT old.caller, old.hour FROM callers AS c JOIN hours AS old" +
  " ON old.caller = c.id AND old.hour < (SELECT max(hour) FROM hours WHERE caller = c.id AND hour < ?3)" +
  " WHERE c.id > ?1 AND c.id <= ?2)";
const hoursOfOldCallers =
  "DELETE FROM hours WHERE caller IN (SELECT id FROM callers WHERE id > ?1 AND id <= ?2 AND hour < ?3)";
const oldCallers = "DELETE FROM callers WHERE id > ?1 AND id <= ?2 AND hour < ?3";
const oldSpans = "DELETE FROM spans WHERE member > ?1 AND member <= ?2 AND until_ms < ?3";
const oldMembers =
  "DELETE FROM members WHERE id > ?1 AND id <= ?2 AND gone_ms < ?3" +
  " AND NOT EXISTS (SELECT 1 FROM callers WHERE member = members.id)" +
  " AND NOT EXISTS (SELECT 1 FROM spans WHERE member = members.id)";

export class EvidencePruner {
  readonly #database: DatabaseSync;
  readonly #shares: IdentityShares;
  #table: Table | undefined = "callers";
  /** The last id that was looked at. */
  #at = 0;

  constructor(database: DatabaseSync, shares: IdentityShares = new IdentityShares()) {
    this.#database = database;
    this.#shares = shares;
  }

  /** One piece. @returns whether there is more. @throws whatever SQLite throws */
  prune(beforeMs: number): boolean {
    return durableTransaction(this.#database, "evidence-prune", () => {
      const table = this.#table;
      if (table === "callers" && this.#at === 0) this.#shares.beginCount();
      if (table === undefined) this.#pruneRest(beforeMs);
      else if (!this.#prunePiece(table, beforeMs)) {
        this.#at = 0;
        this.#table = table === "callers" ? "members" : undefined;
      }
      if (table === undefined) {
        this.#table = "callers";
        this.#shares.endCount();
      }
      return table !== undefined;
    });
  }

  /** @returns whether there was one */
  #prunePiece(table: Table, beforeMs: number): boolean {
    const ids = `SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT ${pieceMax}`;
    const last = this.#database.prepare(`SELECT max(id) AS id FROM (${ids})`).get(this.#at)?.["id"];
    if (typeof last !== "number") return false;
    if (table === "callers") {
      const hour = Math.floor(beforeMs / hourMs);
      this.#run(oldHours, this.#at, last, hour);
      this.#run(hoursOfOldCallers, this.#at, last, hour);
      this.#run(oldCallers, this.#at, last, hour);
      this.#count(octetsOfCallers, last);
    } else {
      this.#run(oldSpans, this.#at, last, beforeMs);
      this.#run(oldMembers, this.#at, last, beforeMs);
      this.#count(octetsOfMembers, last);
    }
    this.#at = last;
    return true;
  }

  /** What is left of the piece. */
  #count(sql: string, last: number): void {
    for (const row of this.#database.prepare(sql).all(this.#at, last)) {
      this.#shares.counted(String(row["spiffe_id"]), Number(row["octets"]));
    }
  }

  #pruneRest(beforeMs: number): void {
    const day = 24;
    // Callers of the hour that has just ended may have been looked at before it did.
    this.#run("DELETE FROM sources WHERE last_hour < ?", Math.floor(beforeMs / hourMs) - day);
    this.#run("DELETE FROM addresses WHERE until_ms < ?", beforeMs);
    this.#run("DELETE FROM reports WHERE at_ms < ?", beforeMs);
  }

  #run(sql: string, ...values: readonly SQLInputValue[]): void {
    this.#database.prepare(sql).run(...values);
  }
}
