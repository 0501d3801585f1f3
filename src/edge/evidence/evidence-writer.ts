/** Writes what has happened: all that comes together in one transaction. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PortCoverage } from "../../core/evidence/connection.ts";
import { durableTransaction } from "../store/durable.ts";
import { AddressTable } from "./address-table.ts";
import { CallerTable } from "./caller-table.ts";
import type {
  ChangeOutcome,
  EvidenceChange,
  ReportChange,
  ReportOutcome,
} from "./evidence-change.ts";
import { MemberTable } from "./member-table.ts";
import { ReportTable } from "./report-table.ts";
import { SpanTable } from "./span-table.ts";

export class EvidenceWriter {
  readonly #database: DatabaseSync;
  readonly #addresses: AddressTable;
  readonly #callers: CallerTable;
  readonly #members: MemberTable;
  readonly #reports: ReportTable;
  readonly #spans: SpanTable;
  readonly #known: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#addresses = new AddressTable(database);
    this.#callers = new CallerTable(database);
    this.#members = new MemberTable(database);
    this.#reports = new ReportTable(database);
    this.#spans = new SpanTable(database);
    this.#known = database.prepare("UPDATE meta SET known_ms = max(known_ms, ?)");
  }

  /**
   * All of it or nothing.
   * @param atMs the server is at work
   * @returns an outcome for each @throws whatever SQLite throws
   */
  write(changes: readonly EvidenceChange[], atMs: number): readonly ChangeOutcome[] {
    try {
      return durableTransaction(this.#database, "evidence-write", () => {
        this.#known.run(atMs);
        return changes.map((change) => this.#make(change));
      });
    } catch (error) {
      this.#members.forget();
      this.#callers.forget();
      throw error;
    }
  }

  /** Something was taken away. */
  forget(): void {
    this.#callers.forget();
  }

  #make(change: EvidenceChange): ChangeOutcome {
    switch (change.kind) {
      case "report":
        return this.#report(change);
      case "member":
        this.#members.told(change);
        return undefined;
      case "gone":
        this.#members.gone(change);
        return undefined;
      case "held":
      case "left":
        this.#addresses.change(change);
        return undefined;
      default:
        return change satisfies never;
    }
  }

  /** What was seen, and for which time that is all, at once: neither is ever there without the other. */
  #report(change: ReportChange): ReportOutcome {
    const outcome = this.#reports.take(change);
    if (outcome.isRepeated) return outcome;
    const lostMs = this.#reports.lostUntil(change.reporter);
    for (const { proxy, epochMs, seen, coverage } of change.proxies) {
      const life = this.#members.reported(proxy, epochMs);
      if (life === undefined) continue;
      for (const each of seen) this.#callers.add(life.id, each);
      for (const each of coverage) {
        this.#spans.add(life.id, life.epochMs ?? epochMs, coveredSince(each, lostMs));
      }
    }
    return outcome;
  }
}

/** What it has lost stays. */
function coveredSince(coverage: PortCoverage, lostMs: number): PortCoverage {
  const { sinceMs, untilMs } = coverage;
  return { ...coverage, sinceMs: Math.max(sinceMs, Math.min(untilMs, lostMs)) };
}
