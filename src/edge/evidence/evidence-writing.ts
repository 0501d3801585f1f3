/**
 * Writing into `evidence.db`: what comes within a moment is one transaction. While nothing can be written all waits here, and agents, who
 * are not acknowledged, keep what they see.
 */

import type {
  ChangeOutcome,
  EvidenceChange,
  ReportChange,
  ReportOutcome,
} from "./evidence-change.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import { parseError, type BoundedIdentity, type WireError } from "./evidence-protocol.ts";
import { EvidenceQueue } from "./evidence-queue.ts";
import type { EvidenceThread } from "./evidence-thread.ts";
import type { NotedChange, PendingChange } from "./waiting-changes.ts";

export interface EvidenceWritingWatch {
  readonly nowMs: () => number;
  /** It is tried again; once until it goes well. */
  readonly onFailed: (error: EvidenceStoreError) => void;
  readonly onRecovered: () => void;
  /** A change that no file could take: a fault of ours. */
  readonly onRefused: (change: EvidenceChange, error: EvidenceStoreError) => void;
  /** Not all of theirs is kept; each once an hour. */
  readonly onBounded?: (identities: readonly BoundedIdentity[]) => void;
}

const groupMs = 50;
const retryMs = 5_000;
/** A server that ends is waited for. */
const finishMsMax = 10_000;

export class EvidenceWriting {
  readonly #thread: EvidenceThread;
  readonly #watch: EvidenceWritingWatch;
  readonly #queue = new EvidenceQueue();
  #next: NodeJS.Timeout | undefined;
  #isFinishing = false;
  #writing: Promise<void> | undefined;
  #failure: EvidenceStoreError | undefined;
  #waitingSinceMs: number | undefined;

  constructor(thread: EvidenceThread, watch: EvidenceWritingWatch) {
    this.#thread = thread;
    this.#watch = watch;
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
    this.#queue.report(change, done);
    this.#added();
    const outcome = await done.promise;
    if (outcome === undefined) throw new TypeError("expected the outcome of a report");
    return outcome;
  }

  /** What nobody waits for. Where there is no room for it nothing is written or answered any more: it would not be true. */
  note(change: NotedChange): void {
    if (this.#thread.death !== undefined) return;
    try {
      this.#queue.note(change);
      this.#added();
    } catch (error) {
      if (!(error instanceof EvidenceStoreError)) throw error;
      this.#thread.end(error);
      this.#queue.abandon(error);
    }
  }

  /** Also where nothing waits: the file then says that the server is at work. */
  schedule(afterMs: number): void {
    if (this.#writing !== undefined || this.#isFinishing || this.#thread.death !== undefined)
      return;
    this.#next ??= setTimeout(() => {
      this.#next = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (!this.#queue.isEmpty) this.schedule(this.#failure === undefined ? groupMs : retryMs);
      });
    }, afterMs);
  }

  /** Writes what waits, all of it, if it can be written. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    await this.#writing;
    clearTimeout(this.#next);
    if (this.failure !== undefined) return;
    const endMs = performance.now() + finishMsMax;
    do await this.#write();
    while (!this.#queue.isEmpty && this.failure === undefined && performance.now() < endMs);
  }

  abandon(error: EvidenceStoreError): void {
    this.#queue.abandon(error);
  }

  #added(): void {
    this.#waitingSinceMs ??= this.#watch.nowMs();
    this.schedule(groupMs);
  }

  async #write(): Promise<void> {
    const group = this.#queue.take();
    const changes = group.map(({ change }) => change);
    const message = { kind: "write", changes, atMs: this.#watch.nowMs() } as const;
    try {
      const { outcomes, bounded } = await this.#thread.call("written", message);
      if (this.#failure !== undefined) this.#watch.onRecovered();
      this.#failure = undefined;
      this.#waitingSinceMs = !this.#queue.isEmpty ? this.#watch.nowMs() : undefined;
      for (const [at, pending] of group.entries()) this.#settle(pending, outcomes[at]);
      if (bounded.length > 0) this.#watch.onBounded?.(bounded);
    } catch (error) {
      this.#queue.putBack(group);
      if (!(error instanceof EvidenceStoreError)) throw error;
      if (this.#thread.death !== undefined) return this.#queue.abandon(this.#thread.death);
      if (this.#failure === undefined) this.#watch.onFailed(error);
      this.#failure = error;
    }
  }

  #settle(pending: PendingChange, outcome: ChangeOutcome | WireError): void {
    const { change, done } = pending;
    this.#queue.done(pending);
    if (outcome === undefined || !("code" in outcome)) return done?.resolve(outcome);
    const error = parseError(outcome);
    this.#watch.onRefused(change, error);
    done?.reject(error);
  }
}
