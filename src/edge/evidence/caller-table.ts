/**
 * Who was seen to call whom, by the hour. A member has room for so many callers: beyond, they count as `others`, and no connection is
 * lost.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SeenConnections } from "../../core/evidence/connection.ts";
import { CallerRows, type CallerKey, type CallerRow } from "./caller-rows.ts";
import { kindNumber, sourceName, sourceNumber } from "./connection-codes.ts";
import { hourMs } from "./evidence-change.ts";
import { callerOctets, hourOctets } from "./row-octets.ts";
import { SourceTable } from "./source-table.ts";

/** An agent tells apart half as many of one proxy in its life. */
const callersPerMemberMax = 8_192;
const othersNumber = 0;

export class CallerTable {
  readonly #sources: SourceTable;
  readonly #rows: CallerRows;
  readonly #count: StatementSync;
  /** Callers of each member. */
  readonly #counts = new Map<number, number>();

  constructor(database: DatabaseSync) {
    this.#sources = new SourceTable(database);
    this.#rows = new CallerRows(database);
    this.#count = database.prepare("SELECT count(*) AS count FROM callers WHERE member = ?");
  }

  /** What was written last, or is pruned, is not there. */
  forget(): void {
    this.#sources.forget();
    this.#rows.forget();
    this.#counts.clear();
  }

  /** @returns by how many octets the file has grown, about */
  add(member: number, seen: SeenConnections): number {
    const hour = Math.floor(seen.lastMs / hourMs);
    const isOthers = sourceNumber(seen.source) === othersNumber;
    const source = isOthers ? othersNumber : this.#sources.idOf(seen, hour);
    const [kind, refused] = [kindNumber(seen.kind), Number(seen.isRefused)];
    const key: CallerKey = [member, seen.port, kind, refused, source];
    const known = this.#rows.find(key);
    if (known !== undefined) return this.#addTo(key, known, seen, hour);
    const count = this.#countOf(member);
    if (count >= callersPerMemberMax && !isOthers) {
      return this.add(member, { ...seen, source: { kind: "others" }, claim: "" });
    }
    this.#counts.set(member, count + 1);
    this.#rows.insert(key, hour, seen);
    return callerOctets(sourceName(seen.source));
  }

  #addTo(key: CallerKey, caller: CallerRow, seen: SeenConnections, hour: number): number {
    const isNews = seen.claim !== "" && hour >= caller.hour;
    const claim = isNews ? seen.claim : caller.claim;
    if (hour === caller.hour) this.#rows.add(key, seen, claim);
    else if (hour > caller.hour) this.#rows.begin(key, hour, seen, claim);
    else this.#rows.addLate(key, caller.id, hour, seen);
    this.#rows.remember(key, { id: caller.id, hour: Math.max(hour, caller.hour), claim });
    return hour === caller.hour ? 0 : hourOctets;
  }

  #countOf(member: number): number {
    return this.#counts.get(member) ?? Number(this.#count.get(member)?.["count"]);
  }
}
