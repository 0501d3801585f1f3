/**
 * All CSRs that arrived in one turn of the event loop are taken through each step together: all tokens, all proofs of
 * possession, all signatures, all checks. Keeping one kind of work warm in the processor's caches costs a fifth less than
 * caller by caller (`npm run bench`). The queue is bounded; whoever no longer waits costs nothing.
 */

import type { Caller } from "../../core/identity/caller.ts";
import type { Authority } from "../../core/issuance/authority.ts";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import {
  completeWorkload,
  proveKey,
  signWorkload,
  type IssuedWorkload,
  type SignedWorkload,
} from "../../core/issuance/workload.ts";
import type { PublicKey } from "../../core/x509/public-key.ts";
import { isHealedByRefresh } from "../../edge/authn/token-authenticator.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";

export interface IssuanceRequest {
  /** The bearer token. @throws AuthnError when the headers hold none that may be tried */
  readonly token: () => string;
  readonly csrPem: string;
  readonly requestedTtlSeconds: bigint;
  readonly impersonatedIdentity: boolean;
  readonly deadlineMs: number;
  readonly isCancelled: () => boolean;
  readonly onIssued: (issued: IssuedWorkload, caller: Caller) => void;
  readonly onRefused: (error: unknown, caller: Caller | undefined) => void;
}

export interface IssuanceDependencies {
  readonly authenticate: (token: string, nowMs: number) => Caller;
  /** Reads the token issuer's keys anew, after a token named an unknown one. Never throws. */
  readonly refreshKeys: () => Promise<unknown>;
  readonly authority: () => Authority;
  readonly ttlPolicy: () => TtlPolicy;
  readonly randomSerial: () => Uint8Array;
  readonly nowMs: () => number;
}

export interface IssuanceQueueLimits {
  /** Requests taken through the steps together. */
  readonly callsInFlightMax: number;
  readonly queueMax: number;
}

/** A request on its way; each step adds what it found, or the failure that ends it. */
interface Job {
  readonly request: IssuanceRequest;
  caller?: Caller;
  publicKey?: PublicKey;
  signed?: SignedWorkload;
  issued?: IssuedWorkload;
  failure?: { readonly error: unknown };
  keysRefreshed: boolean;
}

export class IssuanceQueue {
  readonly #dependencies: IssuanceDependencies;
  readonly #limits: () => IssuanceQueueLimits;
  #jobs: Job[] = [];
  /** How many wait for the token issuer's keys; they count against the queue's limit. */
  #parked = 0;
  #scheduled = false;

  constructor(dependencies: IssuanceDependencies, limits: () => IssuanceQueueLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  get depth(): number {
    return this.#jobs.length + this.#parked;
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
    if (this.#scheduled || this.#jobs.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#runBatch();
      this.#schedule();
    });
  }

  #runBatch(): void {
    const nowMs = this.#dependencies.nowMs();
    const batch = this.#jobs.splice(0, this.#limits().callsInFlightMax);
    const { authenticate, authority, ttlPolicy, randomSerial } = this.#dependencies;
    runStep(batch, (job) => assertStillWanted(job.request, nowMs));
    runStep(batch, (job) => {
      job.caller ??= authenticate(job.request.token(), nowMs);
      assertNoImpersonation(job.request);
    });
    const ready = this.#setAsideForKeys(batch);
    runStep(ready, (job) => {
      job.publicKey = proveKey(job.request.csrPem);
    });
    runStep(ready, (job) => {
      const { caller, publicKey, request } = job;
      if (caller === undefined || publicKey === undefined)
        throw new TypeError("a step was skipped");
      const { requestedTtlSeconds } = request;
      const order = { caller, publicKey, requestedTtlSeconds };
      job.signed = signWorkload(order, authority(), ttlPolicy(), randomSerial(), nowMs);
    });
    this.#complete(ready);
    for (const job of ready) settle(job);
  }

  /**
   * Every certificate is read back; of one in each batch the signature is verified, too, so that a signer that has gone
   * wrong is found before any reply of the batch leaves. Whoever comes alone is always that one.
   */
  #complete(batch: readonly Job[]): void {
    const { authority } = this.#dependencies;
    const sample = batch.find((job) => job.failure === undefined);
    runStep(batch, (job) => {
      if (sample?.failure !== undefined) throw sample.failure.error;
      if (job.signed === undefined) throw new TypeError("a step was skipped");
      job.issued = completeWorkload(job.signed, authority(), job === sample ? "verify" : "skip");
    });
  }

  /** A token under a key that we do not know yet waits for one refresh of the keys, and is tried once more. */
  #setAsideForKeys(batch: readonly Job[]): readonly Job[] {
    const unknown = batch.filter(
      (job) => !job.keysRefreshed && isHealedByRefresh(job.failure?.error),
    );
    // Anybody can name a key that does not exist: while the keys are read, half of the queue stays free for others.
    const room = Math.max(0, Math.ceil(this.#limits().queueMax / 2) - this.#parked);
    const waiting = unknown.slice(0, room);
    for (const job of unknown.slice(room)) {
      job.failure = { error: new CaCallError("queue-full", "too many requests wait for keys") };
    }
    if (waiting.length === 0) return batch;
    this.#parked += waiting.length;
    void this.#dependencies.refreshKeys().finally(() => this.#retry(waiting));
    return batch.filter((job) => !waiting.includes(job));
  }

  #retry(jobs: readonly Job[]): void {
    this.#parked -= jobs.length;
    for (const job of jobs) {
      delete job.failure;
      job.keysRefreshed = true;
    }
    this.#jobs.push(...jobs);
    this.#schedule();
  }
}

function runStep(jobs: readonly Job[], step: (job: Job) => void): void {
  for (const job of jobs) {
    if (job.failure !== undefined) continue;
    try {
      step(job);
    } catch (error) {
      job.failure = { error };
    }
  }
}

function settle({ request, failure, issued, caller }: Job): void {
  if (failure !== undefined) request.onRefused(failure.error, caller);
  else if (issued !== undefined && caller !== undefined) request.onIssued(issued, caller);
}

function assertStillWanted(request: IssuanceRequest, nowMs: number): void {
  if (request.isCancelled() || nowMs >= request.deadlineMs) {
    throw new CaCallError("deadline-exceeded", "the deadline passed while the request waited");
  }
}

/** Only a node's own account may ask for another's identity, and none is configured (`istio.md` 1). */
function assertNoImpersonation(request: IssuanceRequest): void {
  if (request.impersonatedIdentity) {
    throw new CaCallError("impersonation-refused", "no account may impersonate");
  }
}
