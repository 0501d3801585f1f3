/**
 * Reports of connections: what counts of them, and when they are acknowledged. A report that cannot be written is not: its agent tells it
 * again, and keeps what it has seen since; the stream and all else on it go on.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionReport } from "../../../core/evidence/connection.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import type { ReportedProxy } from "../../../edge/evidence/evidence-change.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import type { EvidenceStore } from "../../../edge/evidence/evidence-store.ts";
import type { EvidenceEvents, UncountedReason } from "../../../edge/telemetry/evidence-events.ts";
import { EvidenceError } from "../mesh/evidence-intake.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { ConnectionIntakeStreams, intervalMs } from "./connection-intake-streams.ts";
import { countedReport, rowsOf, type CountedReport } from "./counted-report.ts";
import type { EvidenceMembers } from "./evidence-members.ts";

export interface ConnectionIntakeDependencies {
  readonly store: Pick<EvidenceStore, "report" | "failure">;
  readonly members: Pick<EvidenceMembers, "reported">;
  readonly events: Pick<EvidenceEvents, "counted" | "repeated" | "uncounted" | "notKept">;
  readonly retentionMs: () => number;
  readonly nowMs: () => number;
}

/** Of one stream: beyond, its acknowledgements wait. Whoever makes callers up must not keep all others waiting. */
const rowsPerSecondMax = 2_000;

export class ConnectionIntake {
  readonly #dependencies: ConnectionIntakeDependencies;
  readonly #streams = new ConnectionIntakeStreams();
  /** What was said of each stream in the log. */
  readonly #said = new WeakMap<Session, Set<UncountedReason>>();
  readonly #listeners = new Set<(proxies: readonly ReportedProxy[]) => void>();

  constructor(dependencies: ConnectionIntakeDependencies) {
    this.#dependencies = dependencies;
  }

  /** Told of each report that has been counted; until it is disposed. */
  onCounted(listener: (proxies: readonly ReportedProxy[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** What agents are asked for; undefined where nothing will be recorded any more. While it cannot be, what they tell waits. */
  get intervalMs(): number | undefined {
    return this.#dependencies.store.failure?.code === "evidence-ended" ? undefined : intervalMs;
  }

  /** How often an agent that was asked is to tell from now on; the first time at once. Undefined: as often as all. */
  hurry(session: Session, everyMs: number = intervalMs): void {
    if (this.intervalMs !== undefined) this.#streams.hurry(session, everyMs);
  }

  /** @throws MeshMessageError, EvidenceError, and nothing of it counts */
  take(session: Session, reporter: Reporter, report: ConnectionReport): void {
    if (this.#streams.isOpen(session, report)) return;
    if (this.#streams.isAnswered(session, report)) return this.#dependencies.events.repeated();
    const counted = this.#count(session, reporter, report);
    for (const [reason, rows] of counted.uncounted) this.#say(session, reporter, reason, rows);
    this.#streams.begin(session, report);
    void this.#keep(session, reporter, report, counted);
  }

  #count(session: Session, reporter: Reporter, report: ConnectionReport): CountedReport {
    const { members, nowMs: now, retentionMs } = this.#dependencies;
    const nowMs = now();
    return countedReport(report, {
      ownerOf: ({ spiffeId }) => this.#ownerOf(session, spiffeId, nowMs),
      keyOf: (spiffeId, proxyId) => members.reported(reporter, spiffeId, proxyId),
      times: { oldestMs: nowMs - retentionMs(), nowMs },
    });
  }

  /** @returns undefined where no token of it counts @throws EvidenceError */
  #ownerOf(
    { peer, spokenFor }: Session,
    claimed: string | undefined,
    now: number,
  ): string | undefined {
    const own = peer.id.toString();
    if (claimed === undefined || claimed === own) return own;
    if (spokenFor === undefined) {
      const message = `expected connections of ${own}, got ${claimed}'s`;
      throw new EvidenceError("evidence-foreign", message);
    }
    return spokenFor.has(claimed, now) ? claimed : undefined;
  }

  async #keep(
    session: Session,
    reporter: Reporter,
    { runId, sequence }: ConnectionReport,
    { proxies, unproven }: CountedReport,
  ): Promise<void> {
    const { store, events, nowMs } = this.#dependencies;
    const rows = proxies.reduce((sum, each) => sum + rowsOf(each), 0);
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    const named = { reporter: agent, runId, sequence, atMs: nowMs() };
    const change = { kind: "report", ...named, unproven: [...unproven], proxies } as const;
    try {
      const [outcome] = await Promise.all([store.report(change), pace(rows)]);
      if (outcome.isRepeated) events.repeated();
      else {
        const coverage = proxies.flatMap((each) => each.coverage);
        events.counted(rows, coverage);
        for (const listener of this.#listeners) listener(proxies);
      }
      this.#streams.kept(session, { runId, sequence, unproven: outcome.unproven });
    } catch (error) {
      const code = error instanceof EvidenceStoreError ? error.code : undefined;
      this.#streams.unkept(session, code === "evidence-full");
      // Of its end all agents would say the same.
      if (code !== "evidence-ended") events.notKept(reporter, error);
    }
  }

  #say(session: Session, reporter: Reporter, reason: UncountedReason, rows: number): void {
    const said = this.#said.get(session) ?? new Set();
    this.#said.set(session, said);
    this.#dependencies.events.uncounted(reporter, reason, rows, !said.has(reason));
    said.add(reason);
  }
}

async function pace(rows: number): Promise<void> {
  const free = rowsPerSecondMax / 10;
  const ms = ((rows - free) * 1_000) / rowsPerSecondMax;
  if (ms > 0) await sleep(ms, undefined, { ref: false });
}
