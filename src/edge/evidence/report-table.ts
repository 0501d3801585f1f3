/** Which reports are counted: each once, although an agent sends one again until it is acknowledged. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReportChange, ReportOutcome } from "./evidence-change.ts";

/** An agent has one life at a time; one that makes them up counts only its own connections twice. */
const runsPerReporterMax = 16;

export class ReportTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare(
      "SELECT sequence, unproven FROM reports WHERE reporter = ? AND run = ?",
    );
    this.#insert = database.prepare(
      "INSERT OR REPLACE INTO reports (reporter, run, sequence, at_ms, unproven) VALUES (?, ?, ?, ?, ?)",
    );
    this.#trim = database.prepare(
      "DELETE FROM reports WHERE reporter = ?1 AND run NOT IN" +
        " (SELECT run FROM reports WHERE reporter = ?1 ORDER BY at_ms DESC, run LIMIT ?2)",
    );
  }

  /** Reports of a run come in order: the next one is sent when this one is acknowledged. */
  take({ reporter, runId, sequence, atMs, unproven }: ReportChange): ReportOutcome {
    const last = this.#find.get(reporter, runId);
    const lastSequence = Number(last?.["sequence"] ?? -1);
    if (sequence <= lastSequence) {
      const isLast = sequence === lastSequence;
      return { isRepeated: true, unproven: isLast ? namesOf(last?.["unproven"]) : [] };
    }
    this.#insert.run(reporter, runId, sequence, atMs, JSON.stringify(unproven));
    if (last === undefined) this.#trim.run(reporter, runsPerReporterMax);
    return { isRepeated: false, unproven };
  }
}

function namesOf(json: unknown): readonly string[] {
  const names: unknown = JSON.parse(String(json));
  return Array.isArray(names) ? names.map(String) : [];
}
