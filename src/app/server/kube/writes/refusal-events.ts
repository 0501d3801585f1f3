/**
 * Refusals as Events at the pod, or at its service account, whose request it was: where whoever looks after it looks first. Told slowly
 * and in a bounded number, so that who is refused often costs the API server little; what cannot be written is dropped.
 */

import { AuthnError, type ClaimedIdentity } from "../../../../core/identity/authn-error.ts";
import type { Caller } from "../../../../core/identity/caller.ts";
import { refusalNote } from "../../../../core/kube/writes/refusal-notes.ts";
import {
  RefusalSeriesTable,
  type RefusalSubject,
} from "../../../../core/kube/writes/refusal-series.ts";
import { WriteBudget } from "../../../../core/kube/writes/write-budget.ts";
import { PortcullisError } from "../../../../core/error.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import {
  countRefusalEvent,
  createRefusalEvent,
  type MadeEvent,
} from "../../../../edge/kube/write/refusal-event.ts";
import type { WritePace } from "../../../../edge/kube/write/write-pace.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import { WorkLoop } from "./work-loop.ts";

export interface RefusalEventsOptions {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  /** Which server it is, such as its pod: at most 128 characters. */
  readonly instance: string;
  readonly log: Logger;
  /** Unique, of a name of Kubernetes. */
  readonly eventId: () => string;
  /** Unix */
  readonly wallMs: () => number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

const seriesMax = 1_024;
/** Of all objects together, within the pace of all writes. */
const limit = { ratePerSecond: 2, burst: 25 };
/** After a failure: none of it is worth a queue. */
const pauseMs = 10_000;

/** They are written until `owned` ends. */
export function openRefusalEvents(
  options: RefusalEventsOptions,
  owned: AsyncDisposableStack,
): RefusalEvents {
  return owned.use(new RefusalEvents(options));
}

export class RefusalEvents implements AsyncDisposable {
  readonly #options: RefusalEventsOptions;
  readonly #series = new RefusalSeriesTable(seriesMax);
  readonly #loop: WorkLoop;
  readonly #budget = new WriteBudget(limit);
  readonly #made = new Map<string, MadeEvent>();
  #failure = "";

  constructor(options: RefusalEventsOptions) {
    this.#options = options;
    this.#loop = new WorkLoop({
      inFlightMax: 1,
      waitingMax: seriesMax,
      nowMs: options.nowMs,
      work: async (key, signal) => this.#work(key, signal),
    });
  }

  /** Never throws. @param caller undefined where it proved nothing: then only what the error knows of it counts */
  take(caller: Caller | undefined, error: unknown): void {
    if (!(error instanceof PortcullisError) || refusalNote(error.code) === undefined) return;
    const subject = subjectOf(caller ?? (error instanceof AuthnError ? error.claimed : undefined));
    const key = subject && this.#series.take(subject, error.code, this.#options.nowMs());
    if (key !== undefined) this.#loop.add([key]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  async #work(key: string, signal: AbortSignal): Promise<number | undefined> {
    const nowMs = this.#options.nowMs();
    const dueMs = this.#series.dueMs(key);
    if (dueMs === undefined) return undefined;
    const freeMs = Math.max(dueMs, nowMs + this.#budget.waitMs(nowMs));
    if (freeMs > nowMs) return freeMs;
    this.#budget.take(nowMs);
    try {
      await this.#write(key, signal);
      this.#failure = "";
    } catch (error) {
      if (!this.#loop.isClosed) this.#failed(key, error);
    }
    return this.#series.dueMs(key);
  }

  async #write(key: string, signal: AbortSignal): Promise<void> {
    const { connection, pace, instance, eventId, wallMs, nowMs } = this.#options;
    const series = this.#series.find(key);
    const note = series && refusalNote(series.code);
    if (series === undefined || note === undefined) return;
    const made = series.toldCount === 0 ? undefined : this.#made.get(key);
    const event = { ...series, note, lastMs: wallMs() - (nowMs() - series.lastMs) };
    const told = await pace.run(signal, async () =>
      made === undefined
        ? await createRefusalEvent(connection, event, { id: eventId(), instance }, { signal })
        : await countRefusalEvent(connection, made, event, { signal }),
    );
    this.#series.told(key, series.count, nowMs());
    this.#remember(key, told);
  }

  #remember(key: string, made: MadeEvent): void {
    this.#made.delete(key);
    this.#made.set(key, made);
    const [oldest] = this.#made.keys();
    if (this.#made.size > seriesMax && oldest !== undefined) this.#made.delete(oldest);
  }

  /** It is gone, as Events go after an hour; or nobody may write it, or nobody is there. */
  #failed(key: string, error: unknown): void {
    this.#series.forget(key);
    this.#made.delete(key);
    const { log, nowMs } = this.#options;
    this.#loop.pauseUntil(nowMs() + pauseMs);
    const fields = failureFields(error);
    if (fields.reason !== this.#failure) {
      log.warn(
        { event: "refusal-event-failed", ...fields },
        "an Event of a refusal is not written",
      );
    }
    this.#failure = fields.reason;
  }
}

/** By what was verified alone: nobody makes us write at an object by naming it. */
function subjectOf(caller: ClaimedIdentity | undefined): RefusalSubject | undefined {
  const { namespace, serviceAccount, evidence } = caller ?? {};
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  if (evidence?.pod !== undefined) return { kind: "Pod", namespace, ...evidence.pod };
  const uid = evidence?.serviceAccountUid;
  return { kind: "ServiceAccount", namespace, name: serviceAccount, uid };
}
