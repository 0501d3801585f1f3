/**
 * For which time agents can answer. Spans of one life of an Envoy that touch are one, unless something was lost in one of them: what was
 * lost stays at its time, to the hour.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PortCoverage } from "../../core/evidence/connection.ts";
import { hourMs } from "./evidence-change.ts";
import { spanOctets } from "./row-octets.ts";

interface LastSpan {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly isLossy: boolean;
}

export class SpanTable {
  readonly #last: StatementSync;
  readonly #insert: StatementSync;

  constructor(database: DatabaseSync) {
    this.#last = database.prepare(
      "SELECT since_ms, until_ms, lost_unmeshed + lost_meshed AS lost FROM spans" +
        " WHERE member = ? AND port = ? AND epoch_ms = ? ORDER BY since_ms DESC LIMIT 1",
    );
    const add =
      "until_ms = max(until_ms, excluded.until_ms)," +
      " lost_unmeshed = min(lost_unmeshed + excluded.lost_unmeshed, 1000000000000)," +
      " lost_meshed = min(lost_meshed + excluded.lost_meshed, 1000000000000)," +
      // What is open at its end, whichever is told last.
      ` open_unnamed = ${ofNewest("open_unnamed")}, open_meshed = ${ofNewest("open_meshed")}`;
    this.#insert = database.prepare(
      "INSERT INTO spans (member, port, epoch_ms, since_ms, until_ms, lost_unmeshed, lost_meshed, open_unnamed," +
        ` open_meshed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET ${add}`,
    );
  }

  /** @returns by how many octets the file has grown, about */
  add(member: number, epochMs: number, coverage: PortCoverage): number {
    const { port, sinceMs, untilMs, lostUnmeshed, lostMeshed, openUnnamed, openMeshed } = coverage;
    const last = this.#lastOf(member, port, epochMs);
    const rest = [untilMs, lostUnmeshed, lostMeshed, openUnnamed, openMeshed ?? null] as const;
    const from = last === undefined ? sinceMs : joinedFrom(last, coverage);
    this.#insert.run(member, port, epochMs, from, ...rest);
    return from === last?.sinceMs ? 0 : spanOctets;
  }

  #lastOf(member: number, port: number, epochMs: number): LastSpan | undefined {
    const row = this.#last.get(member, port, epochMs);
    if (row === undefined) return undefined;
    return {
      sinceMs: Number(row["since_ms"]),
      untilMs: Number(row["until_ms"]),
      isLossy: Number(row["lost"]) > 0,
    };
  }
}

/** Of two that are one: agents' words may come late. */
function ofNewest(column: string): string {
  return `iif(excluded.until_ms >= until_ms, excluded.${column}, ${column})`;
}

/** Where the row begins that it belongs to: the last one's, or one of its own. */
function joinedFrom(
  last: LastSpan,
  { sinceMs, untilMs, lostUnmeshed, lostMeshed }: PortCoverage,
): number {
  if (sinceMs > last.untilMs) return sinceMs;
  const isLossy = lostUnmeshed + lostMeshed > 0;
  if (isLossy !== last.isLossy)
    return isLossy || untilMs > last.untilMs ? last.untilMs : last.sinceMs;
  const isSameHour = Math.floor(last.sinceMs / hourMs) === Math.floor(untilMs / hourMs);
  return isSameHour || !isLossy ? last.sinceMs : last.untilMs;
}
