/**
 * `evidence.db`, seen from the server: what has happened goes in, and a promise is kept when it is durable; what is asked is answered of
 * that; what is old is forgotten.
 */

import type { ReportChange, ReportOutcome } from "./evidence-change.ts";
import { evidencePath } from "./evidence-database.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import type { OpenedFile } from "./evidence-protocol.ts";
import type { EvidenceAnswers, EvidenceQuestion } from "./evidence-question.ts";
import { EvidenceThread } from "./evidence-thread.ts";
import { EvidenceWriting, type EvidenceWritingWatch } from "./evidence-writing.ts";
import type { NotedChange } from "./waiting-changes.ts";

export interface EvidenceStoreOptions extends EvidenceWritingWatch {
  readonly dataDir: string;
  /** What is older is forgotten. */
  readonly retentionMs: () => number;
  /** Nothing is written or answered any more. */
  readonly onEnded: (error: EvidenceStoreError) => void;
}

/** How well it is known when a server that was killed was last at work. */
const knownMs = 10_000;
const pruneMs = 3_600_000;
/** Not with all else that a start does, and also where no server runs for an hour. */
const firstPruneMs = 60_000;

export class EvidenceStore implements AsyncDisposable {
  readonly #options: EvidenceStoreOptions;
  readonly #thread: EvidenceThread;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #writing: EvidenceWriting;

  private constructor(thread: EvidenceThread, options: EvidenceStoreOptions) {
    this.#thread = thread;
    this.#options = options;
    this.#writing = new EvidenceWriting(thread, options);
    this.#timers = [
      setInterval(() => this.#writing.schedule(0), knownMs).unref(),
      setInterval(() => void this.#prune(), pruneMs).unref(),
      setTimeout(() => void this.#prune(), firstPruneMs).unref(),
    ];
  }

  /** @throws EvidenceStoreError, as `openEvidence` does */
  static async open(
    options: EvidenceStoreOptions,
  ): Promise<{ readonly store: EvidenceStore; readonly left: OpenedFile }> {
    const data = { path: evidencePath(options.dataDir), nowMs: options.nowMs() };
    const [thread, left] = await EvidenceThread.open(data, options.onEnded);
    return { store: new EvidenceStore(thread, options), left };
  }

  /** Why nothing is written; undefined while all is well. */
  get failure(): EvidenceStoreError | undefined {
    return this.#writing.failure;
  }

  /** Since when something waits to be written (`nowMs`). */
  get waitingSinceMs(): number | undefined {
    return this.#writing.waitingSinceMs;
  }

  /** Durable when it resolves. @throws EvidenceStoreError `evidence-full`, `evidence-ended`, `evidence-unreadable` */
  async report(change: ReportChange): Promise<ReportOutcome> {
    return await this.#writing.report(change);
  }

  /** What nobody waits for. */
  note(change: NotedChange): void {
    this.#writing.note(change);
  }

  /** What is durable by now. @throws EvidenceStoreError */
  async ask<Q extends EvidenceQuestion>(question: Q): Promise<EvidenceAnswers[Q["kind"]]> {
    const { answer } = await this.#thread.call("answered", { kind: "ask", question });
    // The thread answers what was asked.
    return answer as EvidenceAnswers[Q["kind"]];
  }

  /** Writes what waits, if it can be written. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#writing.finish();
    await this.#thread[Symbol.asyncDispose]();
    this.#writing.abandon(new EvidenceStoreError("evidence-ended", "the server is ending"));
  }

  async #prune(): Promise<void> {
    const beforeMs = this.#options.nowMs() - this.#options.retentionMs();
    try {
      while ((await this.#thread.call("pruned", { kind: "prune", beforeMs })).hasMore);
    } catch (error) {
      // Whoever writes next says it. Without room nothing is forgotten, either.
      if (!(error instanceof EvidenceStoreError)) throw error;
    }
  }
}
