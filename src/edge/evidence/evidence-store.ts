/**
 * `evidence.db`, seen from the server: what has happened goes in, and a promise is kept when it is durable. What comes within a moment is
 * one transaction. While nothing can be written all waits here, and agents, who are not acknowledged, keep what they see.
 */

import type {
  ChangeOutcome,
  EvidenceChange,
  ReportChange,
  ReportOutcome,
} from "./evidence-change.ts";
import { evidencePath } from "./evidence-database.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import { parseError, type OpenedFile, type WireError } from "./evidence-protocol.ts";
import type { EvidenceAnswers, EvidenceQuestion } from "./evidence-question.ts";
import { EvidenceQueue, type PendingChange } from "./evidence-queue.ts";
import { EvidenceThread } from "./evidence-thread.ts";

export interface EvidenceStoreOptions {
  readonly dataDir: string;
  /** What is older is forgotten. */
  readonly retentionMs: () => number;
  readonly nowMs: () => number;
  /** It is tried again; once until it goes well. */
  readonly onFailed: (error: EvidenceStoreError) => void;
  readonly onRecovered: () => void;
  /** Nothing is written or answered any more. */
  readonly onEnded: (error: EvidenceStoreError) => void;
  /** A change that no file could take: a fault of ours. */
  readonly onRefused: (change: EvidenceChange, error: EvidenceStoreError) => void;
}

const groupMs = 50;
const retryMs = 5_000;
/** How well it is known when a server that was killed was last at work. */
const knownMs = 10_000;
const pruneMs = 3_600_000;
/** Not with all else that a start does, and also where no server runs for an hour. */
const firstPruneMs = 60_000;

export class EvidenceStore implements AsyncDisposable {
  readonly #options: EvidenceStoreOptions;
  readonly #thread: EvidenceThread;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #queue = new EvidenceQueue();
  #next: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #failure: EvidenceStoreError | undefined;
  #waitingSinceMs: number | undefined;

  private constructor(thread: EvidenceThread, options: EvidenceStoreOptions) {
    this.#thread = thread;
    this.#options = options;
    this.#timers = [
      setInterval(() => this.#schedule(0), knownMs).unref(),
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
    return this.#thread.death ?? this.#failure;
  }

  /** Since when something waits to be written (`nowMs`). */
  get waitingSinceMs(): number | undefined {
    return this.#waitingSinceMs;
  }

  /** Durable when it resolves. @throws EvidenceStoreError `evidence-full`, `evidence-ended`, `evidence-unreadable` */
  async report(change: ReportChange): Promise<ReportOutcome> {
    if (this.#thread.death !== undefined) throw this.#thread.death;
    const done = Promise.withResolvers<ChangeOutcome>();
    this.#add({ change, done });
    const outcome = await done.promise;
    if (outcome === undefined) throw new TypeError("expected the outcome of a report");
    return outcome;
  }

  /** What nobody waits for. */
  note(change: Exclude<EvidenceChange, ReportChange>): void {
    if (this.#thread.death === undefined) this.#add({ change, done: undefined });
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
    await this.#writing;
    clearTimeout(this.#next);
    if (this.failure === undefined) await this.#write();
    await this.#thread[Symbol.asyncDispose]();
    this.#queue.abandon(new EvidenceStoreError("evidence-ended", "the server is ending"));
  }

  #add(pending: PendingChange): void {
    this.#queue.add(pending);
    this.#waitingSinceMs ??= this.#options.nowMs();
    this.#schedule(groupMs);
  }

  #schedule(afterMs: number): void {
    if (this.#writing !== undefined || this.#thread.death !== undefined) return;
    this.#next ??= setTimeout(() => {
      this.#next = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (!this.#queue.isEmpty) this.#schedule(this.#failure === undefined ? groupMs : retryMs);
      });
    }, afterMs);
  }

  async #write(): Promise<void> {
    const group = this.#queue.take();
    const changes = group.map(({ change }) => change);
    const message = { kind: "write", changes, atMs: this.#options.nowMs() } as const;
    try {
      const { outcomes } = await this.#thread.call("written", message);
      if (this.#failure !== undefined) this.#options.onRecovered();
      this.#failure = undefined;
      this.#waitingSinceMs = !this.#queue.isEmpty ? this.#options.nowMs() : undefined;
      for (const [at, pending] of group.entries()) this.#settle(pending, outcomes[at]);
    } catch (error) {
      this.#queue.putBack(group);
      if (!(error instanceof EvidenceStoreError)) throw error;
      if (this.#thread.death !== undefined) return this.#queue.abandon(this.#thread.death);
      if (this.#failure === undefined) this.#options.onFailed(error);
      this.#failure = error;
    }
  }

  #settle(pending: PendingChange, outcome: ChangeOutcome | WireError): void {
    const { change, done } = pending;
    this.#queue.done(pending);
    if (outcome === undefined || !("code" in outcome)) return done?.resolve(outcome);
    const error = parseError(outcome);
    this.#options.onRefused(change, error);
    done?.reject(error);
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
