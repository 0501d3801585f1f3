/**
 * Which reports are counted: each once, although an agent sends one again until it is acknowledged. One that is not here, because its
 * agent has given it up, or a power cut has taken it, may have told of anybody until the next one came.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReportChange, ReportOutcome } from "./evidence-change.ts";

/** An agent has one life at a time; one that makes them up counts only its own connections twice. */
const runsPerReporterMax = 16;
/** Agents name themselves: one identity must not fill the file with their names. Some 16,384 lives of agents. */
const identityOctetsMax = 8_388_608;
const runOctets = 512;
/** An agent's clock may be ahead of the server's. */
const aheadMsMax = 60_000;

export class ReportTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #trim: StatementSync;
  readonly #lost: StatementSync;
  readonly #octets: StatementSync;
  readonly #trimIdentity: StatementSync;
  /** By identity, at least. */
  readonly #known = new Map<string, number>();

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
    const ofIdentity = "reporter > ?1 || ' ' AND reporter < ?1 || '!'";
    this.#octets = database.prepare(
      `SELECT total(${runOctets} + length(unproven)) AS octets FROM reports WHERE ${ofIdentity}`,
    );
    this.#trimIdentity = database.prepare(
      "DELETE FROM reports WHERE (reporter, run) IN" +
        ` (SELECT reporter, run FROM reports WHERE ${ofIdentity} ORDER BY at_ms LIMIT` +
        ` (SELECT (count(*) + 3) / 4 FROM reports WHERE ${ofIdentity}))`,
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
    const names = JSON.stringify(unproven);
    this.#insert.run(reporter, runId, sequence, atMs, names, lostMs);
    if (last === undefined) this.#trim.run(reporter, runsPerReporterMax);
    const grown = last === undefined ? runOctets : -String(last["unproven"]).length;
    this.#bound(reporter, Math.max(0, grown + names.length));
    return { isRepeated: false, unproven };
  }

  /** What was not written may be among what is known. */
  forget(): void {
    this.#known.clear();
  }

  /** The oldest go first: whoever comes with one of them covers nothing before. */
  #bound(reporter: string, octets: number): void {
    const [identity = ""] = reporter.split(" ", 1);
    const known = (this.#known.get(identity) ?? Infinity) + octets;
    this.#known.set(identity, known <= identityOctetsMax ? known : this.#bounded(identity));
  }

  #bounded(identity: string): number {
    const octets = (): number => Number(this.#octets.get(identity)?.["octets"]);
    if (octets() > identityOctetsMax) this.#trimIdentity.run(identity);
    return octets();
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
