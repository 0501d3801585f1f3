/**
 * Writes the log, seen from the server: entries in, and a promise that is kept when they are durable. One group is being
 * written at a time, and all that comes meanwhile is the next one. No timers: a group is what is there.
 */

import type { Entry } from "../../core/log/entry.ts";
import type { IndexRange } from "../../core/log/index-ranges.ts";
import { LogError } from "../../core/log/log-error.ts";
import { parseError, type Outcome } from "./log-protocol.ts";
import { RefusedEntry } from "./log-failure.ts";
import { LogQueue, type LogWriterLimits } from "./log-queue.ts";
import { groupOf, logRequest, type LogRequest } from "./log-request.ts";
import type { Pruned } from "./log-pruner.ts";
import type { LogThread } from "./log-thread.ts";

export interface LogWriterState {
  /** Why the last group was not written; undefined when it was. */
  readonly failure: LogError | undefined;
  /** Nothing will ever be written again by this process. */
  readonly isDead: boolean;
  /** Entries that wait. */
  readonly queued: number;
  /** Intents whose result is to come. */
  readonly openIntents: number;
  /** Since when the thread has not answered (`performance.now()`). */
  readonly busySinceMs: number | undefined;
}

export class LogWriter implements AsyncDisposable {
  readonly #thread: LogThread;
  readonly #queue: LogQueue;
  #lastTimeMs: number;
  #failure: LogError | undefined;
  #busySinceMs: number | undefined;
  /** The thread does one thing at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #isDraining = false;
  #isClosed = false;

  constructor(
    thread: LogThread,
    end: { readonly lastTimeMs: number; readonly openIntents: number },
    limits: Partial<LogWriterLimits> = {},
  ) {
    this.#thread = thread;
    this.#queue = new LogQueue(limits, end.openIntents);
    this.#lastTimeMs = end.lastTimeMs;
  }

  /**
   * Together or not at all; durable when the promise resolves, and gives the index of the first. Results that cannot be
   * written are written with what comes next: they are never to be given again.
   * @throws LogError `log-entry-malformed`, `log-entry-too-large`, `log-full`, `log-unwritable`; RefusedEntry when one
   *   contradicts the log
   */
  async append(entries: readonly Entry[]): Promise<{ readonly firstIndex: number }> {
    if (entries.length === 0) throw new RefusedEntry("expected at least one entry");
    if (this.#thread.death !== undefined) throw this.#thread.death;
    if (this.#isClosed) throw new LogError("log-unwritable", "the log is being closed");
    const request = this.#enqueue(entries);
    this.#wake();
    return { firstIndex: await request.done.promise };
  }

  /**
   * Forgets what is past, in steps; other entries are written in between.
   * @param beforeMs entries and ends of certificates from then on are kept
   * @param operator who asks, as claimed; at most 254 octets
   * @returns the entries that are gone now
   * @throws LogError `log-unwritable`, `log-entry-malformed`
   */
  async prune(
    beforeMs: number,
    timeMs: number,
    operator: string = "",
  ): Promise<IndexRange | undefined> {
    let range: IndexRange | undefined;
    for (;;) {
      const pruned = await this.#inTurn(() => this.#pruneStep(beforeMs, timeMs, operator));
      if (pruned === undefined) return range;
      range = { start: range?.start ?? pruned.start, end: pruned.end };
      if (!pruned.isPartial) return range;
    }
  }

  get state(): LogWriterState {
    return {
      failure: this.#thread.death ?? this.#failure,
      isDead: this.#thread.death !== undefined,
      queued: this.#queue.entries,
      openIntents: this.#queue.openIntents,
      busySinceMs: this.#busySinceMs,
    };
  }

  /** Writes what waits, also the results that could not be written before. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    if (this.#queue.hasRetries) this.#wake();
    while (this.#isDraining) await this.#turn;
    await this.#turn;
    await this.#thread[Symbol.asyncDispose]();
  }

  #enqueue(entries: readonly Entry[]): LogRequest {
    try {
      const request = logRequest(entries);
      this.#queue.add(request);
      return request;
    } catch (error) {
      this.#queue.abandon(entries);
      throw error;
    }
  }

  #wake(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    // What else is appended in this turn of the event loop goes along.
    queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    do await this.#inTurn(() => this.#writeGroup());
    while (this.#queue.entries > 0);
    this.#isDraining = false;
  }

  async #writeGroup(): Promise<void> {
    const requests = this.#queue.take();
    let outcomes: readonly Outcome[] = [];
    let failure: unknown;
    try {
      const { group, lastTimeMs } = groupOf(requests, this.#lastTimeMs);
      this.#lastTimeMs = lastTimeMs;
      const message = { kind: "append", group } as const;
      ({ outcomes } = await this.#thread.call("appended", message, [group.bytes.buffer]));
    } catch (error) {
      failure = error;
    }
    this.#failure = undefined;
    for (const [index, request] of requests.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined && "firstIndex" in outcome) {
        this.#queue.written(request, outcome.firstIndex);
        request.done.resolve(outcome.firstIndex);
      } else {
        this.#fail(request, outcome === undefined ? failure : parseError(outcome.error));
      }
    }
  }

  #fail(request: LogRequest, error: unknown): void {
    const isWorld = error instanceof LogError;
    if (isWorld) this.#failure = error;
    this.#queue.failed(request, isWorld);
    request.done.reject(error);
  }

  async #pruneStep(
    beforeMs: number,
    timeMs: number,
    operator: string,
  ): Promise<Pruned | undefined> {
    this.#lastTimeMs = Math.max(this.#lastTimeMs, timeMs);
    const message = { kind: "prune", beforeMs, timeMs: this.#lastTimeMs, operator } as const;
    return (await this.#thread.call("pruned", message)).pruned;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      this.#busySinceMs = performance.now();
      return await work().finally(() => {
        this.#busySinceMs = undefined;
      });
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
