/**
 * Holds the Lease of the trust, or waits for it. A holder that cannot renew it in time stops by its own clock, before another can have it,
 * and goes on trying: what was lost to nobody comes back.
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  decideLease,
  givenBack,
  isLeaseHeld,
  leaseTimes,
  seeLease,
  type LeaseDecision,
  type SeenLease,
} from "../../../../core/kube/trust/lease.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";
import type { FoundLease, LeaseObject } from "../../../../edge/kube/trust/lease-object.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import { failureFields } from "../../failure-fields.ts";
import { unlessInterrupted } from "../../signing/start-proof.ts";

export interface LeaseKeeperOptions {
  readonly object: Pick<LeaseObject, "read" | "write" | "namespace" | "name">;
  /** As `leaseHolder` makes it. */
  readonly identity: string;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Counts suspension. */
  readonly monotonicMs: () => number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

export interface LeaseState {
  /** As far as is known here; "" for nobody. */
  readonly holder: string;
  readonly isHeld: boolean;
  /** Unless it is renewed, Unix ms; undefined where nobody has it. */
  readonly untilMs: number | undefined;
}

/** Waiting will not mend these. */
const lasting: ReadonlySet<string> = new Set(["kube-forbidden", "kube-invalid", "kube-config"]);

export class LeaseKeeper implements AsyncDisposable {
  readonly #options: LeaseKeeperOptions;
  readonly #ended = new AbortController();
  #seen: SeenLease | undefined;
  /** What was written last and is there, as far as is known. */
  #written: FoundLease | undefined;
  #renewedMs: number | undefined;
  #term = 0;
  #holder = "";
  /** Of that one; monotonic. */
  #holderUntilMs = 0;
  #said = "";
  #isResting = false;
  #renewing: Promise<void> = Promise.resolve();

  private constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Resolves when it is held. @throws KubeError for what waiting does not mend; StartError as soon as it is told to end */
  static async acquire(options: LeaseKeeperOptions): Promise<LeaseKeeper> {
    const keeper = new LeaseKeeper(options);
    await unlessInterrupted(options.signal, keeper.#acquire());
    keeper.#renewing = keeper.#renew();
    return keeper;
  }

  get isHeld(): boolean {
    return !this.#isResting && this.#isOurs;
  }

  /** It is not held any more when this returns, is given back within 2 s, and not taken before `resume`. Whose it is is looked at all the same. */
  rest(): void {
    this.#isResting = true;
  }

  resume(): void {
    this.#isResting = false;
  }

  /** How often it was taken: in between another one may have had it. */
  get term(): number {
    return this.#term;
  }

  /** Another one that has it now; "" for nobody. */
  get otherHolder(): string {
    return this.isHeld ? "" : this.#holder;
  }

  state(): LeaseState {
    const { identity, nowMs, monotonicMs } = this.#options;
    const { isHeld } = this;
    const holder = isHeld ? identity : this.#holder;
    if (holder === "") return { holder, isHeld, untilMs: undefined };
    const ownMs = (this.#renewedMs ?? 0) + leaseTimes.renewDeadlineMs;
    const leftMs = (isHeld ? ownMs : this.#holderUntilMs) - monotonicMs();
    return { holder, isHeld, untilMs: nowMs() + Math.max(0, leftMs) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#renewing;
    if (!this.#isOurs) return;
    this.#renewedMs = undefined;
    // Whoever comes next waits until it has expired, if this fails.
    await this.#giveBack().catch(() => {});
  }

  /** Nobody else can have it. */
  get #isOurs(): boolean {
    return isLeaseHeld(this.#renewedMs, this.#options.monotonicMs());
  }

  /** Where the answer to a renewal is missing, what is there is read first. */
  async #giveBack(): Promise<void> {
    const { object, identity, nowMs } = this.#options;
    const { lease, version } = this.#written ?? (await object.read());
    this.#written = undefined;
    if (lease?.holder === identity) await object.write(givenBack(lease, nowMs()), version);
    this.#renewedMs = undefined;
  }

  async #acquire(): Promise<void> {
    const { signal } = this.#options;
    for (;;) {
      try {
        await this.#step(signal);
      } catch (error) {
        if (signal.aborted || !(error instanceof KubeError) || lasting.has(error.code)) throw error;
        this.#sayFailure(error);
      }
      if (this.isHeld) return;
      await sleep(leaseTimes.retryMs, undefined, { signal });
    }
  }

  async #renew(): Promise<void> {
    const { signal } = this.#ended;
    const { retryMs } = leaseTimes;
    for (;;) {
      await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        await (this.#isResting ? this.#look(signal) : this.#step(signal));
      } catch (error) {
        if (!signal.aborted) this.#sayFailure(error);
      }
    }
  }

  /** While it rests. */
  async #look(signal: AbortSignal): Promise<void> {
    const { object, identity, monotonicMs, nowMs } = this.#options;
    if (this.#renewedMs !== undefined) await this.#giveBack();
    this.#seen = seeLease(this.#seen, await object.read(signal), monotonicMs());
    const decision = decideLease(this.#seen, identity, monotonicMs(), nowMs());
    const isTheirs = decision.kind === "wait";
    this.#holder = isTheirs ? decision.holder : "";
    this.#holderUntilMs = isTheirs ? decision.untilMs : 0;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { object, identity, nowMs, monotonicMs } = this.#options;
    // A holder knows what he wrote last: if that is there no more, he is told.
    const found = this.#written ?? (await object.read(signal));
    const seen = seeLease(this.#seen, found, monotonicMs());
    this.#seen = seen;
    const decision = decideLease(seen, identity, monotonicMs(), nowMs());
    if (decision.kind === "wait") return this.#wait(decision.holder, decision.untilMs);
    const sentMs = monotonicMs();
    this.#written = undefined;
    try {
      // By its own deadline alone: one that is cut off may be done all the same, and would not be given back.
      this.#written = await object.write(decision.next, seen.version);
    } catch (error) {
      if (isConflict(error)) return this.#overtaken(signal);
      throw error;
    }
    this.#taken(decision, sentMs);
  }

  #taken({ kind, next }: Exclude<LeaseDecision, { kind: "wait" }>, sentMs: number): void {
    const { log } = this.#options;
    const { holder, transitions } = next;
    // One that a hand has deleted may have been another's before it is seen here that it is gone.
    const isNews = !this.#isOurs || kind !== "renew";
    this.#renewedMs = sentMs;
    this.#holder = "";
    this.#said = "";
    if (!isNews) return;
    this.#term++;
    log.info({ event: "lease-held", holder, transitions }, "may change trust");
  }

  /** Somebody has written it: who, is asked at once. A holder has lost it as soon as he knows of another. */
  async #overtaken(signal: AbortSignal): Promise<void> {
    const { object, identity, monotonicMs, nowMs } = this.#options;
    this.#seen = seeLease(this.#seen, await object.read(signal), monotonicMs());
    const decision = decideLease(this.#seen, identity, monotonicMs(), nowMs());
    if (decision.kind === "wait") this.#wait(decision.holder, decision.untilMs);
  }

  #wait(holder: string, untilMs: number): void {
    const { log, monotonicMs, object } = this.#options;
    const wasHeld = this.#renewedMs !== undefined;
    this.#renewedMs = undefined;
    this.#written = undefined;
    this.#holder = holder;
    this.#holderUntilMs = untilMs;
    if (this.#said === holder) return;
    this.#said = holder;
    const { namespace, name } = object;
    const expiresInMs = Math.max(0, Math.ceil(untilMs - monotonicMs()));
    const fields = { holder, lease: `${namespace}/${name}`, expiresInMs };
    const hint =
      "there is one server of a mesh: stop that one, or wait until its Lease expires, as after a kill";
    if (wasHeld) log.error({ event: "lease-lost", ...fields, hint }, "another may change trust");
    else
      log.warn({ event: "lease-waiting", ...fields, hint }, "waiting for the Lease of the trust");
  }

  #sayFailure(error: unknown): void {
    const fields = failureFields(error);
    if (this.#said === fields.detail) return;
    this.#said = fields.detail;
    this.#options.log.error({ event: "lease-failed", ...fields }, "the Lease was not renewed");
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === "kube-conflict";
}
