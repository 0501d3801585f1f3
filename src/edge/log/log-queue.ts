/** What waits to be written, with its limits: too much is refused, and a result that was signed never is. */

import type { Entry } from "../../core/log/entry.ts";
import { LogError } from "../../core/log/log-error.ts";
import { retryOf, type LogRequest } from "./log-request.ts";

export interface LogWriterLimits {
  readonly queuedMax: number;
  readonly queuedBytesMax: number;
  /** Each may leave a result to be written again. */
  readonly openIntentsMax: number;
  readonly groupMax: number;
}

const defaultLimits: LogWriterLimits = {
  queuedMax: 16_384,
  queuedBytesMax: 16_777_216,
  openIntentsMax: 16_384,
  groupMax: 1_024,
};

export class LogQueue {
  readonly #limits: LogWriterLimits;
  readonly #waiting: LogRequest[] = [];
  /** Of results that could not be written. */
  #retries: LogRequest[] = [];
  #entries = 0;
  #bytes = 0;
  /** Written by this process, and their results are still to come. */
  readonly #open = new Set<number>();
  /** Left open by an earlier one. */
  #openBefore: number;
  /** Not written yet. */
  #waitingIntents = 0;

  constructor(limits: Partial<LogWriterLimits>, openBefore: number) {
    this.#limits = { ...defaultLimits, ...limits };
    this.#openBefore = openBefore;
  }

  /** Entries that wait. */
  get entries(): number {
    return this.#entries;
  }

  /** Intents whose result is to come, those that wait among them. */
  get openIntents(): number {
    return this.#openBefore + this.#open.size + this.#waitingIntents;
  }

  get hasRetries(): boolean {
    return this.#retries.length > 0;
  }

  /** @throws LogError `log-full` */
  add(request: LogRequest): void {
    this.#expectRoom(request);
    this.#waiting.push(request);
    this.#entries += request.entries.length;
    this.#bytes += request.bytes;
    this.#waitingIntents += request.intents;
  }

  /** All that could not be written, then of what waits as much as is a group: at least one. */
  take(): readonly LogRequest[] {
    const requests = this.#retries;
    this.#retries = [];
    let count = requests.length;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (count > 0 && count + next.entries.length > this.#limits.groupMax) break;
      this.#waiting.shift();
      requests.push(next);
      count += next.entries.length;
      this.#entries -= next.entries.length;
      this.#bytes -= next.bytes;
    }
    return requests;
  }

  written({ entries, intents, results }: LogRequest, firstIndex: number): void {
    this.#waitingIntents -= intents;
    for (const [position, { entry }] of entries.entries()) {
      if (entry.kind === "intent") this.#open.add(firstIndex + position);
    }
    for (const { entry } of results) {
      const isOurs = entry.kind === "result" && this.#open.delete(entry.intentIndex);
      if (!isOurs && this.#openBefore > 0) this.#openBefore -= 1;
    }
  }

  /** @param mayRetry it was not the entries' fault */
  failed({ intents, results }: LogRequest, mayRetry: boolean): void {
    this.#waitingIntents -= intents;
    if (mayRetry) this.#retries.push(...results.map(retryOf));
    else this.abandon(results.map(({ entry }) => entry));
  }

  /** Results that will never be written: their intents are closed at the next start, and hold up no others until then. */
  abandon(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind === "result") this.#open.delete(entry.intentIndex);
    }
  }

  #expectRoom({ entries, results, intents, bytes }: LogRequest): void {
    const { queuedMax, queuedBytesMax, openIntentsMax } = this.#limits;
    // What was signed has to get in. There is one result for each intent, and those are limited.
    const isOfResults = results.length === entries.length;
    const countMax = isOfResults ? queuedMax + openIntentsMax : queuedMax;
    const bytesMax = isOfResults ? Infinity : queuedBytesMax;
    if (this.#entries + entries.length > countMax || this.#bytes + bytes > bytesMax) {
      throw full(`${this.#entries} entries wait already`);
    }
    if (intents > 0 && this.openIntents + intents > openIntentsMax) {
      throw full(`${this.openIntents} intents have no result yet`);
    }
  }
}

function full(why: string): LogError {
  return new LogError("log-full", `expected fewer entries at once: ${why}`, {
    hint: "try again later; if it lasts, the disk or the signer is too slow for this load",
  });
}
