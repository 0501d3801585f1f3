/** Names of callers, each once. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SeenConnections } from "../../core/evidence/connection.ts";
import { sourceName, sourceNumber } from "./connection-codes.ts";

interface KnownSource {
  readonly id: number;
  lastHour: number;
}

const rememberedMax = 65_536;

export class SourceTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #use: StatementSync;
  /** By kind and name. */
  readonly #known = new Map<string, KnownSource>();

  constructor(database: DatabaseSync) {
    this.#find = database.prepare("SELECT id, last_hour FROM sources WHERE kind = ? AND name = ?");
    this.#insert = database.prepare("INSERT INTO sources (kind, name, last_hour) VALUES (?, ?, ?)");
    this.#use = database.prepare("UPDATE sources SET last_hour = ? WHERE id = ?");
  }

  forget(): void {
    this.#known.clear();
  }

  /** Of an identity or an address, which is used in this hour. */
  idOf({ source }: Pick<SeenConnections, "source">, hour: number): number {
    const kind = sourceNumber(source);
    const name = sourceName(source);
    const key = `${kind} ${name}`;
    const known = this.#known.get(key) ?? this.#read(kind, name) ?? this.#add(kind, name, hour);
    if (hour > known.lastHour) {
      this.#use.run(hour, known.id);
      known.lastHour = hour;
    }
    if (this.#known.size >= rememberedMax) this.#known.clear();
    this.#known.set(key, known);
    return known.id;
  }

  #read(kind: number, name: string): KnownSource | undefined {
    const row = this.#find.get(kind, name);
    if (row === undefined) return undefined;
    return { id: Number(row["id"]), lastHour: Number(row["last_hour"]) };
  }

  #add(kind: number, name: string, hour: number): KnownSource {
    const { lastInsertRowid } = this.#insert.run(kind, name, hour);
    return { id: Number(lastInsertRowid), lastHour: hour };
  }
}
