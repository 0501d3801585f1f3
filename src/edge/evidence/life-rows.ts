/** Rows of members, and what is asked of them while reports are taken. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { MemberChange } from "./evidence-change.ts";

export interface LifeRow {
  readonly id: number;
  readonly spiffeId: string;
  readonly labels: string;
  readonly bornMs: number;
  /** Until then something of it was told and not kept. */
  readonly lostMs: number;
}

export interface FormerLife extends LifeRow {
  readonly goneMs: number;
}

export class LifeRows {
  /** Nothing is known of before. */
  readonly createdMs: number;
  readonly #open: StatementSync;
  readonly #former: StatementSync;
  readonly #insert: StatementSync;
  readonly #begin: StatementSync;
  readonly #label: StatementSync;
  readonly #end: StatementSync;
  readonly #lose: StatementSync;
  readonly #delete: StatementSync;
  readonly #lastSpan: StatementSync;
  readonly #caller: StatementSync;

  constructor(database: DatabaseSync) {
    const meta = database.prepare("SELECT created_ms FROM meta").get();
    this.createdMs = Number(meta?.["created_ms"]);
    this.#open = database.prepare(
      "SELECT id, proxy, spiffe_id, labels, born_ms, lost_ms FROM members WHERE gone_ms IS NULL",
    );
    this.#former = database.prepare(
      "SELECT id, spiffe_id, labels, born_ms, lost_ms, gone_ms FROM members" +
        " WHERE proxy = ? AND id < ? AND gone_ms IS NOT NULL ORDER BY id DESC LIMIT 1",
    );
    this.#insert = database.prepare(
      "INSERT INTO members (proxy, reporter, spiffe_id, namespace, name, labels, born_ms, lost_ms)" +
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    this.#begin = database.prepare("UPDATE members SET born_ms = ? WHERE id = ?");
    this.#label = database.prepare("UPDATE members SET labels = ? WHERE id = ?");
    this.#end = database.prepare("UPDATE members SET gone_ms = ? WHERE id = ?");
    this.#lose = database.prepare("UPDATE members SET lost_ms = max(lost_ms, ?) WHERE id = ?");
    this.#delete = database.prepare("DELETE FROM members WHERE id = ?");
    this.#lastSpan = database.prepare(
      "SELECT epoch_ms, until_ms FROM spans WHERE member = ? ORDER BY until_ms DESC LIMIT 1",
    );
    this.#caller = database.prepare("SELECT 1 FROM callers WHERE member = ? LIMIT 1");
  }

  /** Those that are not gone, by proxy. */
  open(): Map<string, LifeRow> {
    return new Map(this.#open.all().map((row) => [String(row["proxy"]), lifeOf(row)]));
  }

  /** The last one of a proxy before another. */
  former(proxy: string, before: number): FormerLife | undefined {
    const row = this.#former.get(proxy, before);
    return row && { ...lifeOf(row), goneMs: Number(row["gone_ms"]) };
  }

  /** @returns its id */
  insert(change: MemberChange, bornMs: number, lostMs: number): number {
    const { proxy, reporter, spiffeId, namespace, name, labels } = change;
    const row = [proxy, reporter, spiffeId, namespace, name, labels, bornMs, lostMs] as const;
    return Number(this.#insert.run(...row).lastInsertRowid);
  }

  begin(id: number, bornMs: number): void {
    this.#begin.run(bornMs, id);
  }

  label(id: number, labels: string): void {
    this.#label.run(labels, id);
  }

  /** @param goneMs undefined: it is not gone after all */
  end(id: number, goneMs: number | undefined): void {
    this.#end.run(goneMs ?? null, id);
  }

  lose(id: number, lostMs: number): void {
    this.#lose.run(lostMs, id);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }

  /** What its agent has answered for last. */
  lastSpan(id: number): { readonly epochMs: number; readonly untilMs: number } | undefined {
    const row = this.#lastSpan.get(id);
    return row && { epochMs: Number(row["epoch_ms"]), untilMs: Number(row["until_ms"]) };
  }

  hasCallers(id: number): boolean {
    return this.#caller.get(id) !== undefined;
  }
}

function lifeOf(row: Readonly<Record<string, unknown>>): LifeRow {
  return {
    id: Number(row["id"]),
    spiffeId: String(row["spiffe_id"]),
    labels: String(row["labels"]),
    bornMs: Number(row["born_ms"]),
    lostMs: Number(row["lost_ms"]),
  };
}
