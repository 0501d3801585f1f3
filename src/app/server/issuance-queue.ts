/**
 * From calls to the issuer. First all calls that have arrived are asked who they are, a bounded number in each turn of the
 * event loop; whoever is let in waits in the fair queue until the issuer has room. Both are bounded, each by itself, so that
 * those whom nobody knows yet find room while renewals wait; whoever no longer waits costs nothing.
 */

import type { Caller } from "../../core/identity/caller.ts";
import { PendingCaller } from "../../core/identity/pending-caller.ts";
import { FairQueue } from "../../core/issuance/fair-queue.ts";
import { classify, type HeldCertificate } from "../../core/issuance/issuance-class.ts";
import type { IssuedCertificate } from "../../core/issuance/workload.ts";
import { isHealedByRefresh } from "../../edge/authn/token-authenticator.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import type { Order, OrderOutcome } from "./issuer.ts";

export interface IssuanceRequest extends Omit<Order, "caller"> {
  /** Who asks. @throws AuthnError when what came with the call does not say; PendingCaller */
  readonly authenticate: (nowMs: number) => Caller;
  /** Where it asks for another's identity: in whose name. @throws CaCallError, AuthnError; PendingCaller */
  readonly impersonate?: ((caller: Caller, nowMs: number) => Caller) | undefined;
  readonly deadlineMs: number;
  readonly isCancelled: () => boolean;
  readonly onIssued: (issued: IssuedCertificate, chain: readonly string[], caller: Caller) => void;
  readonly onRefused: (error: unknown, caller: Caller | undefined) => void;
}

export interface IssuanceDependencies {
  /** Reads the token issuers' keys anew, after a token named an unknown one. Never throws. */
  readonly refreshKeys: () => Promise<unknown>;
  /** Before what counts once is used up. @throws while nothing can be signed */
  readonly assertReady: () => void;
  /** @throws DeniedError, RateLimitError for a caller who gets nothing, or nothing now */
  readonly assertAdmitted: (caller: Caller, nowMs: number) => void;
  /** What the identity has by the log; asked only of those who must wait. */
  readonly held: (identity: string) => HeldCertificate | undefined;
  readonly issue: (orders: readonly Order[], nowMs: number) => Promise<readonly OrderOutcome[]>;
  readonly nowMs: () => number;
}

export interface IssuanceQueueLimits {
  /** Requests that are worked on at the same time. */
  readonly callsInFlightMax: number;
  /** Requests that wait to be authenticated, and as many again that wait to be signed. */
  readonly queueMax: number;
}

/** A request on its way. */
interface Job {
  readonly request: IssuanceRequest;
  /** Who asks. */
  caller?: Caller;
  /** In whose name. */
  owner?: Caller;
  /** What came of waiting, where that was no caller. */
  refusal?: { readonly error: unknown };
  keysRefreshed: boolean;
}

interface AdmittedJob {
  readonly request: IssuanceRequest;
  readonly caller: Caller;
}

/** Of the queue; the rest is for those who hold nothing, and for those whose certificate is about to end. */
const renewalsShare = 0.75;
/** Signed and recorded together. More would keep a newcomer waiting, fewer cost a commit more (`npm run bench`). */
const groupMax = 32;
/** A token costs some 30 us to verify: so many keep a turn of the event loop short. */
const authenticatedPerTurn = 128;

export class IssuanceQueue {
  readonly #dependencies: IssuanceDependencies;
  readonly #limits: () => IssuanceQueueLimits;
  #arrived: Job[] = [];
  readonly #admitted = new FairQueue<AdmittedJob>();
  /** How many wait for somebody else who is asked about them; they count against the queue's limit. */
  #parked = 0;
  /** How many are with the issuer; they count, too. */
  #issuing = 0;
  #scheduled = false;

  constructor(dependencies: IssuanceDependencies, limits: () => IssuanceQueueLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
  }

  get depth(): number {
    return this.#arrived.length + this.#admitted.size + this.#parked + this.#issuing;
  }

  submit(request: IssuanceRequest): void {
    if (this.#arrived.length + this.#parked >= this.#limits().queueMax) {
      return request.onRefused(queueFull("too many requests wait"), undefined);
    }
    this.#arrived.push({ request, keysRefreshed: false });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    const hasRoom = this.#issuing < this.#limits().callsInFlightMax;
    if (this.#arrived.length === 0 && !(hasRoom && this.#admitted.size > 0)) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#runTurn();
      this.#schedule();
    });
  }

  #runTurn(): void {
    const nowMs = this.#dependencies.nowMs();
    const jobs = this.#authenticate(this.#arrived.splice(0, authenticatedPerTurn), nowMs);
    const free = Math.max(0, this.#limits().callsInFlightMax - this.#issuing);
    const room = Math.min(free, groupMax);
    // Whoever need not wait needs no place in a line.
    if (this.#admitted.size === 0 && jobs.length <= room) return this.#issue(jobs, nowMs);
    for (const job of jobs) this.#line(job, nowMs);
    const next = this.#admitted.take(room, nowMs);
    this.#issue(
      next.filter(({ request, caller }) => isStillWanted(request, caller, nowMs)),
      nowMs,
    );
  }

  #line(job: AdmittedJob, nowMs: number): void {
    const identity = job.caller.id.toString();
    const held = this.#held(identity);
    const isRenewal = classify(held, nowMs) === "renewal";
    const max = this.#limits().queueMax * (isRenewal ? renewalsShare : 1);
    if (this.#admitted.size >= max) {
      const who = isRenewal ? "renewals" : "requests";
      return job.request.onRefused(queueFull(`too many ${who} wait`), job.caller);
    }
    this.#admitted.push(job, identity, held, nowMs);
  }

  /** Whoever cannot be looked up waits as a newcomer: that is about a place in the line, and nothing else. */
  #held(identity: string): HeldCertificate | undefined {
    try {
      return this.#dependencies.held(identity);
    } catch {
      return undefined;
    }
  }

  #authenticate(arrived: readonly Job[], nowMs: number): readonly AdmittedJob[] {
    const unknownKey: Job[] = [];
    const asked: (readonly [Job, PendingCaller])[] = [];
    const admitted: AdmittedJob[] = [];
    for (const job of arrived) {
      const { request } = job;
      if (!isStillWanted(request, undefined, nowMs)) continue;
      try {
        this.#dependencies.assertReady();
        const caller = ownerOf(job, nowMs);
        this.#dependencies.assertAdmitted(caller, nowMs);
        admitted.push({ request, caller });
      } catch (error) {
        if (error instanceof PendingCaller) asked.push([job, error]);
        else if (!job.keysRefreshed && isHealedByRefresh(error)) unknownKey.push(job);
        else request.onRefused(error, job.caller);
      }
    }
    this.#waitForKeys(unknownKey);
    for (const [job, pending] of asked) this.#waitForCaller(job, pending);
    return admitted;
  }

  #issue(jobs: readonly AdmittedJob[], nowMs: number): void {
    if (jobs.length === 0) return;
    this.#issuing += jobs.length;
    const orders = jobs.map(({ request, caller }) => orderOf(request, caller));
    const settled = this.#dependencies.issue(orders, nowMs).then(
      (outcomes) => settleAll(jobs, outcomes),
      (error: unknown) => refuseAll(jobs, error),
    );
    void settled.finally(() => {
      this.#issuing -= jobs.length;
      this.#schedule();
    });
  }

  /** A token under a key that we do not know yet waits for one refresh of the keys, and is tried once more. */
  #waitForKeys(jobs: readonly Job[]): void {
    this.#park(jobs, this.#dependencies.refreshKeys, (job) => (job.keysRefreshed = true));
  }

  #waitForCaller(job: Job, pending: PendingCaller): void {
    this.#park([job], () =>
      pending.ask().then(
        (caller) => {
          if (job.caller === undefined) job.caller = caller;
          else job.owner = caller;
        },
        (error: unknown) => {
          job.refusal = { error };
        },
      ),
    );
  }

  /** Anybody can name a key that does not exist: while somebody is asked, half of the queue stays free for others. */
  #park(
    jobs: readonly Job[],
    wait: () => Promise<unknown>,
    after: (job: Job) => void = () => {},
  ): void {
    const room = Math.max(0, Math.ceil(this.#limits().queueMax / 2) - this.#parked);
    const waiting = jobs.slice(0, room);
    for (const { request, caller } of jobs.slice(room)) {
      request.onRefused(queueFull("too many requests wait for an answer about them"), caller);
    }
    if (waiting.length === 0) return;
    this.#parked += waiting.length;
    void wait().finally(() => {
      this.#parked -= waiting.length;
      waiting.forEach(after);
      this.#arrived.push(...waiting);
      this.#schedule();
    });
  }
}

/** @throws AuthnError, CaCallError; PendingCaller */
function ownerOf(job: Job, nowMs: number): Caller {
  const { request, refusal } = job;
  if (refusal !== undefined) throw refusal.error;
  job.caller ??= request.authenticate(nowMs);
  if (request.impersonate === undefined) return job.caller;
  return (job.owner ??= request.impersonate(job.caller, nowMs));
}

function queueFull(reason: string): CaCallError {
  return new CaCallError("queue-full", `${reason}: try again in a moment`);
}

function orderOf(request: IssuanceRequest, caller: Caller): Order {
  const { requestId, address, agent, assertPeer, csrPem, requestedTtlSeconds } = request;
  const order = { caller, requestId, address, agent, csrPem, requestedTtlSeconds };
  return assertPeer === undefined ? order : { ...order, assertPeer };
}

function isStillWanted(
  request: IssuanceRequest,
  caller: Caller | undefined,
  nowMs: number,
): boolean {
  if (!request.isCancelled() && nowMs < request.deadlineMs) return true;
  const reason = "the deadline passed while the request waited";
  request.onRefused(new CaCallError("deadline-exceeded", reason), caller);
  return false;
}

function refuseAll(jobs: readonly AdmittedJob[], error: unknown): void {
  for (const { request, caller } of jobs) request.onRefused(error, caller);
}

function settleAll(jobs: readonly AdmittedJob[], outcomes: readonly OrderOutcome[]): void {
  for (const [index, { request, caller }] of jobs.entries()) {
    const outcome = outcomes[index];
    if (outcome?.kind === "issued") request.onIssued(outcome.certificate, outcome.chain, caller);
    else request.onRefused(outcome?.error, caller);
  }
}
