/**
 * Forgets old entries: whole tiles from the front, as long as all of a tile's certificates have a result and have expired,
 * and no restore that it tells of has left any that may be valid.
 * Their leaf hashes stay, and the tree can be proved as before. That it was done is an entry, in the same transaction.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { decodeEntry, encodeEntry } from "../../core/log/entry-codec.ts";
import type { IndexRange } from "../../core/log/index-ranges.ts";
import { encodePruned } from "../../core/log/pruned.ts";
import { findRestored } from "../../core/log/restored.ts";
import { TILE_WIDTH } from "../../core/log/tile.ts";
import type { LogAppender } from "./log-appender.ts";

/** So many are one transaction, for which appends wait. */
const TILES_MAX = 32;

export interface Pruned extends IndexRange {
  /** There may be more to forget. */
  readonly isPartial: boolean;
}

export class LogPruner {
  readonly #database: DatabaseSync;
  readonly #appender: LogAppender;
  readonly #prunedTo: StatementSync;
  readonly #kept: StatementSync;
  readonly #entries: StatementSync;

  constructor(database: DatabaseSync, appender: LogAppender) {
    this.#database = database;
    this.#appender = appender;
    this.#prunedTo = database.prepare("SELECT pruned_to FROM head");
    this.#kept = database.prepare(
      "SELECT 1 FROM certificates WHERE intent >= ? AND intent < ?" +
        " AND (result IS NULL OR not_after_s >= ?)",
    );
    this.#entries = database.prepare(
      "SELECT data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
    );
  }

  /**
   * One step. Undefined when there is nothing to forget.
   * @param beforeMs entries and ends of certificates from then on are kept
   * @param operator who asks, as claimed; at most 254 octets
   * @throws as LogAppender.append; LogError `log-entry-malformed`
   */
  prune(beforeMs: number, timeMs: number, operator: string): Pruned | undefined {
    const start = Number(this.#prunedTo.get()?.["pruned_to"]);
    const { size } = this.#appender.state();
    const max = Math.min(start + TILES_MAX * TILE_WIDTH, size - (size % TILE_WIDTH));
    let end = start;
    while (end < max && this.#isPast(end, beforeMs)) end += TILE_WIDTH;
    if (end === start) return undefined;
    const event = encodeEntry({
      kind: "event",
      timeMs,
      type: "pruned",
      operator,
      subject: `entries ${start} to ${end - 1}`,
      reason: `all certificates expired before ${new Date(beforeMs).toISOString()}`,
      digest: new Uint8Array(0),
      detail: encodePruned({ start, end }),
    });
    const isPartial = end === start + TILES_MAX * TILE_WIDTH;
    const forget = (): void => this.#forget(start, end, isPartial);
    this.#appender.append([event], "log-prune", forget);
    return { start, end, isPartial };
  }

  #isPast(from: number, beforeMs: number): boolean {
    const to = from + TILE_WIDTH;
    if (this.#kept.get(from, to, Math.floor(beforeMs / 1_000)) !== undefined) return false;
    const entries = this.#entries.all(from, to).map(({ data }) => data);
    return entries.every((data) => data instanceof Uint8Array && isPast(data, beforeMs));
  }

  #forget(from: number, to: number, isPartial: boolean): void {
    const forget = (table: string, column: string): void => {
      this.#database
        .prepare(`DELETE FROM ${table} WHERE ${column} >= ? AND ${column} < ?`)
        .run(from, to);
    };
    forget("entries", "idx");
    forget("certificates", "intent");
    this.#database.prepare("UPDATE head SET pruned_to = ?").run(to);
    if (isPartial) return;
    this.#database.exec(
      "DELETE FROM identities WHERE NOT EXISTS" +
        " (SELECT 1 FROM certificates WHERE identity = identities.id)",
    );
  }
}

/** An agent that was away follows the log only by the event of its restore, and lost certificates may be valid until then. */
function isPast(data: Uint8Array, beforeMs: number): boolean {
  const entry = decodeEntry(data);
  const restored = findRestored(entry);
  return entry.timeMs < beforeMs && (restored?.possibleUntilMs ?? -Infinity) < beforeMs;
}
