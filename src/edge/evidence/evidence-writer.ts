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
import { IdentityShares } from "./identity-shares.ts";
import type { LifeRow } from "./life-rows.ts";
import { MemberTable } from "./member-table.ts";
import { ReportTable } from "./report-table.ts";
import { SpanTable } from "./span-table.ts";
import { isToldBefore, splitAt, type ToldOf } from "./split-report.ts";

interface ReportOf {
  readonly proxy: string;
  readonly epochMs: number;
  /** Before it nothing is covered. */
  readonly lostMs: number;
}

/** So often its labels may have changed since its last report; what was covered before is missing then. */
const formerLivesMax = 16;
const none: ToldOf = { seen: [], coverage: [] };

export class EvidenceWriter {
  readonly #database: DatabaseSync;
  readonly #addresses: AddressTable;
  readonly #callers: CallerTable;
  readonly #members: MemberTable;
  readonly #reports: ReportTable;
  readonly #shares: IdentityShares;
  readonly #spans: SpanTable;
  readonly #known: StatementSync;

  constructor(database: DatabaseSync, shares: IdentityShares = new IdentityShares()) {
    this.#database = database;
    this.#shares = shares;
    this.#addresses = new AddressTable(database);
    this.#callers = new CallerTable(database);
    this.#members = new MemberTable(database, shares);
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
      this.#reports.forget();
      throw error;
    }
  }

  /** Something was taken away. */
  forget(): void {
    this.#callers.forget();
    this.#members.pruned();
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
    for (const told of change.proxies) {
      const life = this.#members.reported(told.proxy, told.epochMs);
      if (life === undefined) continue;
      if (!this.#shares.isFull(life.spiffeId)) {
        const { proxy } = told;
        const epochMs = life.epochMs ?? told.epochMs;
        this.#keep(life, told, { proxy, epochMs, lostMs: Math.max(lostMs, life.lostMs) });
      } else {
        this.#members.lost(life, change.atMs);
        this.#shares.bounded(life.spiffeId, "share", change.atMs);
      }
    }
    return outcome;
  }

  /** @param life its own, or a former one: under those labels it was seen */
  #keep(life: LifeRow, told: ToldOf, of: ReportOf, formerMax: number = formerLivesMax): void {
    const { proxy, epochMs, lostMs } = of;
    const isSplit = formerMax > 0 && isToldBefore(told, life.bornMs);
    const former = isSplit ? this.#members.formerOf(proxy, life) : undefined;
    const { before, after } = former ? splitAt(told, life.bornMs) : { before: none, after: told };
    if (former !== undefined) this.#keep(former, before, of, formerMax - 1);
    let octets = 0;
    for (const each of after.seen) octets += this.#callers.add(life.id, each);
    for (const each of after.coverage) {
      octets += this.#spans.add(life.id, epochMs, coveredSince(each, lostMs));
    }
    this.#shares.add(life.spiffeId, octets);
  }
}

/** What it has lost stays. */
function coveredSince(coverage: PortCoverage, lostMs: number): PortCoverage {
  const { sinceMs, untilMs } = coverage;
  return { ...coverage, sinceMs: Math.max(sinceMs, Math.min(untilMs, lostMs)) };
}
