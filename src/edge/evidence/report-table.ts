/**
 * Which reports are counted: each once, although an agent sends one again until it is acknowledged. One that is not here, because its
 * agent has given it up, or a power cut has taken it, may have told of anybody until the next one came.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReportChange, ReportOutcome } from "./evidence-change.ts";

/** An agent has one life at a time; one that makes them up counts only its own connections twice. */
const runsPerReporterMax = 16;
/** An agent's clock may be ahead of the server's. */
const aheadMsMax = 60_000;

export class ReportTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;
  readonly #lost: StatementSync;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(
      "SELECT sequence, unproven, lost_ms FROM reports WHERE reporter = ? AND run = ?",
    );
    this.#insert = database.prepare(
      "INSERT OR REPLACE INTO reports (reporter, run, sequence, at_ms, unproven, lost_ms)" +
        " VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#trim = database.prepare(
      "DELETE FROM reports WHERE reporter = ?1 AND run NOT IN" +
        " (SELECT run FROM reports WHERE reporter = ?1 ORDER BY at_ms DESC, run LIMIT ?2)",
    );
    this.#lost = database.prepare("SELECT max(lost_ms) AS lost_ms FROM reports WHERE reporter = ?");
  }

  /** Reports of a run come in order: the next one is sent when this one is acknowledged. */
  take({ reporter, runId, sequence, atMs, unproven }: ReportChange): ReportOutcome {
    const last = this.#find.get(reporter, runId);
    const lastSequence = Number(last?.["sequence"] ?? -1);
    if (sequence <= lastSequence) {
      const isLast = sequence === lastSequence;
      return { isRepeated: true, unproven: isLast ? namesOf(last?.["unproven"]) : [] };
    }
    // The first of a run is 1.
    const isLost = sequence > Math.max(lastSequence, 0) + 1;
    const lostMs = isLost ? Math.floor(atMs) + aheadMsMax : Number(last?.["lost_ms"] ?? 0);
    this.#insert.run(reporter, runId, sequence, atMs, JSON.stringify(unproven), lostMs);
    if (last === undefined) this.#trim.run(reporter, runsPerReporterMax);
    return { isRepeated: false, unproven };
  }

  /** Before it nothing is covered by what an agent tells from now on. */
  lostUntil(reporter: string): number {
    return Number(this.#lost.get(reporter)?.["lost_ms"] ?? 0);
  }
}

function namesOf(json: unknown): readonly string[] {
  const names: unknown = JSON.parse(String(json));
  return Array.isArray(names) ? names.map(String) : [];
}
