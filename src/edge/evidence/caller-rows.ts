/** Rows of callers and of their hours. Sums are cut where they would not be safe integers any more. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SeenConnections } from "../../core/evidence/connection.ts";

/** Member, port, kind, refused, source. */
export type CallerKey = readonly [number, number, number, number, number];

export interface CallerRow {
  readonly id: number;
  /** In which it was seen last. */
  readonly hour: number;
  readonly claim: string;
}

const rememberedMax = 131_072;
const ofKey = "member = ? AND port = ? AND kind = ? AND refused = ? AND source = ?";
const sumMax = 1_000_000_000_000;
const sum = `total = min(total + ?, ${sumMax})`;
const everFirst = "ever_first_ms = min(ever_first_ms, ?)";

export class CallerRows {
  readonly #find: StatementSync;
  readonly #newestId: StatementSync;
  readonly #insert: StatementSync;
  readonly #add: StatementSync;
  readonly #close: StatementSync;
  readonly #begin: StatementSync;
  readonly #addHour: StatementSync;
  readonly #addLaterHours: StatementSync;
  readonly #addTotal: StatementSync;
  readonly #known = new Map<string, CallerRow>();
  #nextId: number | undefined;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(`SELECT id, hour, claim FROM callers WHERE ${ofKey}`);
    this.#newestId = database.prepare("SELECT max(id) AS id FROM callers");
    this.#insert = database.prepare("INSERT INTO callers VALUES (?,?,?,?,?,?,?,?,?,?,?,?)");
    this.#add = database.prepare(
      `UPDATE callers SET ${sum}, ${everFirst}, first_ms = min(first_ms, ?), last_ms = max(last_ms, ?), claim = ?` +
        ` WHERE ${ofKey}`,
    );
    this.#close = database.prepare(
      `INSERT INTO hours SELECT id, hour, first_ms, last_ms, total FROM callers WHERE ${ofKey}`,
    );
    this.#begin = database.prepare(
      `UPDATE callers SET ${sum}, hour = ?, first_ms = ?, last_ms = ?, claim = ? WHERE ${ofKey}`,
    );
    this.#addHour = database.prepare(
      "INSERT INTO hours (caller, hour, first_ms, last_ms, total) VALUES (?1, ?2, ?3, ?4, ?5 + coalesce(" +
        "(SELECT total FROM hours WHERE caller = ?1 AND hour < ?2 ORDER BY hour DESC LIMIT 1), 0))" +
        " ON CONFLICT DO UPDATE SET first_ms = min(first_ms, ?3), last_ms = max(last_ms, ?4)," +
        ` total = min(total + ?5, ${sumMax})`,
    );
    this.#addLaterHours = database.prepare(`UPDATE hours SET ${sum} WHERE caller = ? AND hour > ?`);
    this.#addTotal = database.prepare(`UPDATE callers SET ${sum}, ${everFirst} WHERE ${ofKey}`);
  }

  forget(): void {
    this.#known.clear();
    this.#nextId = undefined;
  }

  find(key: CallerKey): CallerRow | undefined {
    const known = this.#known.get(key.join(" "));
    if (known !== undefined) return known;
    const row = this.#find.get(...key);
    if (row === undefined) return undefined;
    const [id, hour] = [Number(row["id"]), Number(row["hour"])];
    return this.remember(key, { id, hour, claim: String(row["claim"]) });
  }

  remember(key: CallerKey, row: CallerRow): CallerRow {
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(key.join(" "), row);
    return row;
  }

  insert(key: CallerKey, hour: number, { firstMs, lastMs, count, claim }: SeenConnections): void {
    this.#nextId ??= Number(this.#newestId.get()?.["id"]) + 1;
    const id = this.#nextId++;
    this.#insert.run(...key, id, firstMs, hour, firstMs, lastMs, count, claim);
    this.remember(key, { id, hour, claim });
  }

  /** In the hour in which it was seen last. */
  add(key: CallerKey, { firstMs, lastMs, count }: SeenConnections, claim: string): void {
    this.#add.run(count, firstMs, firstMs, lastMs, claim, ...key);
  }

  /** In a later hour. */
  begin(
    key: CallerKey,
    hour: number,
    { firstMs, lastMs, count }: SeenConnections,
    claim: string,
  ): void {
    this.#close.run(...key);
    this.#begin.run(count, hour, firstMs, lastMs, claim, ...key);
  }

  /** In an earlier hour: an agent could not be heard for a while. */
  addLate(
    key: CallerKey,
    id: number,
    hour: number,
    { firstMs, lastMs, count }: SeenConnections,
  ): void {
    this.#addHour.run(id, hour, firstMs, lastMs, count);
    this.#addLaterHours.run(count, id, hour);
    this.#addTotal.run(count, firstMs, ...key);
  }
}
