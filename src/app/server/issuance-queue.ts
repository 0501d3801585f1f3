/**
 * All CSRs that arrived in one turn of the event loop are taken through each step together: all tokens, then all proofs
 * of possession, signatures and checks. Keeping one kind of work warm in the processor's caches costs a fifth less than
 * caller by caller (`npm run bench`). The queue is bounded; whoever no longer waits costs nothing.
 */

import type { Caller } from "../../core/identity/caller.ts";
import type { IssuedCertificate, WorkloadOrder } from "../../core/issuance/workload.ts";
import { isHealedByRefresh } from "../../edge/authn/token-authenticator.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import type { SignedBatch } from "./signing-pool.ts";

export interface IssuanceRequest {
  /** Who asks. @throws AuthnError when what came with the call does not say */
  readonly authenticate: (nowMs: number) => Caller;
  readonly csrPem: string;
  readonly requestedTtlSeconds: bigint;
  readonly impersonatedIdentity: boolean;
  readonly deadlineMs: number;
  readonly isCancelled: () => boolean;
  readonly onIssued: (issued: IssuedCertificate, chain: readonly string[], caller: Caller) => void;
  readonly onRefused: (error: unknown, caller: Caller | undefined) => void;
}

export interface IssuanceDependencies {
  /** Reads the token issuers' keys anew, after a token named an unknown one. Never throws. */
  readonly refreshKeys: () => Promise<unknown>;
  readonly sign: (
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ) => SignedBatch | Promise<SignedBatch>;
  readonly randomSerial: () => Uint8Array;
  readonly nowMs: () => number;
}

export interface IssuanceQueueLimits {
  /** Requests that are worked on at the same time. */
  readonly callsInFlightMax: number;
  readonly queueMax: number;
}

/** A request on its way. */
interface Job {
  readonly request: IssuanceRequest;
  caller?: Caller;
  keysRefreshed: boolean;
}

export class IssuanceQueue {
  readonly #dependencies: IssuanceDependencies;
  readonly #limits: () => IssuanceQueueLimits;
  #jobs: Job[] = [];
  /** How many wait for a token issuer's keys; they count against the queue's limit. */
  #parked = 0;
  /** How many are with the signing threads; they count, too. */
  #signing = 0;
  #scheduled = false;

  constructor(dependencies: IssuanceDependencies, limits: () => IssuanceQueueLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  get depth(): number {
    return this.#jobs.length + this.#parked + this.#signing;
  }

  submit(request: IssuanceRequest): void {
    if (this.depth >= this.#limits().queueMax) {
      const error = new CaCallError("queue-full", "too many requests wait: try again in 1 s");
      request.onRefused(error, undefined);
      return;
    }
    this.#jobs.push({ request, keysRefreshed: false });
    this.#schedule();
  }

  #schedule(): void {
    const room = this.#limits().callsInFlightMax - this.#signing;
    if (this.#scheduled || this.#jobs.length === 0 || room <= 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#runBatch(room);
      this.#schedule();
    });
  }

  #runBatch(room: number): void {
    const nowMs = this.#dependencies.nowMs();
    const wanted = this.#jobs.splice(0, room).filter((job) => isStillWanted(job.request, nowMs));
    const unknownKey: Job[] = [];
    const authenticated = wanted.filter((job) => {
      try {
        job.caller ??= job.request.authenticate(nowMs);
        if (!job.request.impersonatedIdentity) return true;
        // Only a node's own account may ask for another's identity, and none is configured (`istio.md` 1).
        throw new CaCallError("impersonation-refused", "no account may impersonate");
      } catch (error) {
        if (!job.keysRefreshed && isHealedByRefresh(error)) unknownKey.push(job);
        else job.request.onRefused(error, job.caller);
        return false;
      }
    });
    this.#waitForKeys(unknownKey);
    if (authenticated.length > 0) this.#sign(authenticated, nowMs);
  }

  #sign(jobs: readonly Job[], nowMs: number): void {
    let batch: SignedBatch | Promise<SignedBatch>;
    try {
      const orders = jobs.map((job) => this.#orderOf(job));
      batch = this.#dependencies.sign(orders, nowMs);
    } catch (error) {
      return refuseAll(jobs, error);
    }
    if (!(batch instanceof Promise)) return settleAll(jobs, batch);
    this.#signing += jobs.length;
    const settled = batch.then(
      (signed) => settleAll(jobs, signed),
      (error: unknown) => refuseAll(jobs, error),
    );
    void settled.finally(() => {
      this.#signing -= jobs.length;
      this.#schedule();
    });
  }

  #orderOf({ request, caller }: Job): WorkloadOrder {
    if (caller === undefined) throw new TypeError("a step was skipped");
    const { certificateNotAfterMs } = caller;
    return {
      spiffeId: caller.id.toString(),
      csrPem: request.csrPem,
      requestedTtlSeconds: request.requestedTtlSeconds,
      serial: this.#dependencies.randomSerial(),
      ...(certificateNotAfterMs !== undefined && { notAfterMaxMs: certificateNotAfterMs }),
    };
  }

  /** A token under a key that we do not know yet waits for one refresh of the keys, and is tried once more. */
  #waitForKeys(jobs: readonly Job[]): void {
    // Anybody can name a key that does not exist: while the keys are read, half of the queue stays free for others.
    const room = Math.max(0, Math.ceil(this.#limits().queueMax / 2) - this.#parked);
    const waiting = jobs.slice(0, room);
    for (const { request } of jobs.slice(room)) {
      request.onRefused(
        new CaCallError("queue-full", "too many requests wait for keys"),
        undefined,
      );
    }
    if (waiting.length === 0) return;
    this.#parked += waiting.length;
    void this.#dependencies.refreshKeys().finally(() => {
      this.#parked -= waiting.length;
      for (const job of waiting) job.keysRefreshed = true;
      this.#jobs.push(...waiting);
      this.#schedule();
    });
  }
}

function isStillWanted(request: IssuanceRequest, nowMs: number): boolean {
  if (!request.isCancelled() && nowMs < request.deadlineMs) return true;
  const reason = "the deadline passed while the request waited";
  request.onRefused(new CaCallError("deadline-exceeded", reason), undefined);
  return false;
}

function refuseAll(jobs: readonly Job[], error: unknown): void {
  for (const { request, caller } of jobs) request.onRefused(error, caller);
}

function settleAll(jobs: readonly Job[], { outcomes, replyChain }: SignedBatch): void {
  for (const [index, { request, caller }] of jobs.entries()) {
    const outcome = outcomes[index];
    if (outcome?.kind === "issued" && caller !== undefined) {
      request.onIssued(outcome.certificate, replyChain(outcome.certificate), caller);
    } else {
      request.onRefused(outcome?.kind === "refused" ? outcome.error : undefined, caller);
    }
  }
}
