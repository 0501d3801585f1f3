/**
 * Tries the listeners of an agent's Envoys, while the server asks for it: each proxy once it has acknowledged what it is to have, again
 * when that is another, and again after failures. It lives as long as the agent; what was proved is told on each stream anew.
 */

import type { HandshakeFailure, HandshakeProof } from "../../../core/roll/handshake-proof.ts";
import type { CanaryIdentity } from "../../../edge/rpc/canary-handshake.ts";
import type { AskedHandshakes, ToldHandshake } from "../../../edge/rpc/handshake-messages.ts";
import { CanaryCredential, type SignCanary } from "./canary-credential.ts";
import { isSameTarget, type ProxyTarget } from "./canary-targets.ts";
import { backOffMs, retryDelayMs } from "./retry-delay.ts";
import { tryListeners, type TrialMeans } from "./try-listeners.ts";

export interface HandshakeProverOptions {
  /** PEM, that listeners are verified by; undefined while there is none. */
  readonly roots: () => string | undefined;
  /** Of the agent's own workload. */
  readonly ownId: () => string | undefined;
  /** There is something to tell. */
  readonly onProof: () => void;
  readonly nowMs: () => number;
  readonly random: () => number;
}

interface Trial {
  readonly target: ProxyTarget;
  /** When it is to be made, or made again; Infinity while it is under way or has been proved. */
  dueMs: number;
  failures: number;
  told: ToldHandshake | undefined;
}

const handshakesMax = 8;
/** An Envoy acknowledges a moment before all of its threads know. */
const settleMs = 100;
/** For so long the clock is believed. */
const sleepMsMax = 60_000;

export class HandshakeProver implements Disposable {
  readonly #options: HandshakeProverOptions;
  readonly #credential: CanaryCredential;
  readonly #trials = new Map<string, Trial>();
  readonly #ended = new AbortController();
  /** Undefined while no stream asks. */
  #asked: AskedHandshakes | undefined;
  /** For what the trials are. */
  #triedFor: AskedHandshakes | undefined;
  #sign: SignCanary | undefined;
  #isObtaining = false;
  #signFailures = 0;
  #signDueMs = 0;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HandshakeProverOptions) {
    this.#options = options;
    this.#credential = new CanaryCredential(options.nowMs);
  }

  /** @param asked undefined where nothing is to be proved any more, or a stream has not asked yet */
  ask(asked: AskedHandshakes | undefined, sign: SignCanary | undefined): void {
    this.#asked = asked;
    this.#sign = sign;
    this.#signDueMs = 0;
    if (asked === undefined) return this.#schedule();
    const { rootSha256, rootsSequence } = this.#triedFor ?? {};
    if (rootSha256 !== asked.rootSha256) this.#credential.forget();
    if (rootSha256 !== asked.rootSha256 || rootsSequence !== asked.rootsSequence) {
      this.#trials.clear();
    }
    this.#triedFor = asked;
    this.#schedule();
  }

  get asked(): AskedHandshakes | undefined {
    return this.#asked;
  }

  /** By key. What is to be proved again is not in it until it is. */
  get told(): ReadonlyMap<string, ToldHandshake> {
    if (this.#asked === undefined) return new Map();
    const told = new Map<string, ToldHandshake>();
    for (const [key, trial] of this.#trials) if (trial.told) told.set(key, trial.told);
    return told;
  }

  look(targets: ReadonlyMap<string, ProxyTarget>): void {
    if (this.#asked === undefined) return;
    for (const key of this.#trials.keys()) if (!targets.has(key)) this.#trials.delete(key);
    for (const [key, target] of targets) {
      if (isSameTarget(this.#trials.get(key)?.target, target)) continue;
      const dueMs = this.#options.nowMs() + settleMs;
      this.#trials.set(key, { target, dueMs, failures: 0, told: undefined });
    }
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    clearTimeout(this.#timer);
  }

  /** At the time of the first that is due. */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#asked === undefined || this.#sign === undefined || this.#ended.signal.aborted) return;
    if (this.#isObtaining || this.#running >= handshakesMax) return;
    const first = Math.min(...Array.from(this.#trials.values(), ({ dueMs }) => dueMs));
    if (first === Infinity) return;
    const waitMs = Math.max(first, this.#signDueMs) - this.#options.nowMs();
    const delayMs = Math.min(Math.max(0, waitMs), sleepMsMax);
    this.#timer = setTimeout(() => void this.#go(), delayMs).unref();
  }

  /** With one certificate for all that are due. */
  async #go(): Promise<void> {
    const asked = this.#asked;
    const sign = this.#sign;
    const isDue = this.#options.nowMs() >= this.#signDueMs;
    if (asked === undefined || sign === undefined || !isDue) return this.#schedule();
    this.#isObtaining = true;
    let identity: CanaryIdentity | undefined;
    try {
      identity = await this.#credential.obtain(asked.rootSha256, sign);
      this.#signFailures = 0;
    } catch {
      // The server knows why, and says so to whoever asks it.
      this.#signDueMs =
        this.#options.nowMs() + backOffMs(this.#signFailures++, this.#options.random());
    }
    this.#isObtaining = false;
    // It may have been asked for another one meanwhile.
    if (identity !== undefined && this.#asked === asked) this.#tryDue(identity, asked);
    this.#schedule();
  }

  #tryDue(identity: CanaryIdentity, asked: AskedHandshakes): void {
    const now = this.#options.nowMs();
    for (const [key, trial] of this.#trials) {
      if (this.#running >= handshakesMax) return;
      if (trial.dueMs > now) continue;
      trial.dueMs = Infinity;
      this.#running += 1;
      void tryListeners(trial.target, this.#means(identity)).then((failure) => {
        this.#running -= 1;
        if (this.#trials.get(key) === trial) this.#settle(trial, asked, failure);
        this.#schedule();
      });
    }
  }

  #means(identity: CanaryIdentity): TrialMeans {
    const { roots, ownId } = this.#options;
    return { identity, roots: roots(), ownId: ownId(), signal: this.#ended.signal };
  }

  #settle(trial: Trial, asked: AskedHandshakes, failure: HandshakeFailure | undefined): void {
    const { proxyId, spiffeId, policyDigest } = trial.target;
    const before = trial.told?.proof.failure;
    const isNews =
      trial.told === undefined ||
      before?.listener !== failure?.listener ||
      before?.detail !== failure?.detail;
    const proof: HandshakeProof = { ...asked, policyDigest, failure };
    if (failure !== undefined) {
      const delayMs = retryDelayMs(trial.failures, this.#options.random());
      trial.dueMs = this.#options.nowMs() + delayMs;
      trial.failures += 1;
      // Nobody is to be alarmed by what passes in half a second.
      if (trial.failures === 1) return;
    }
    if (!isNews) return;
    trial.told = { proxyId, spiffeId, proof };
    this.#options.onProof();
  }
}
