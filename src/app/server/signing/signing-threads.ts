/**
 * The signing threads of an authority, as many as are of use. One that fails is given up, and another takes its place
 * after a rest. Threads on an HSM may be stuck in a native call, which nobody can interrupt: there is no new one before
 * the old one has exited, and so never more than one that is stuck, and the trial of a reload. The main thread never calls
 * an HSM: the first thread initialises its module.
 */

import { availableParallelism } from "node:os";
import { PortcullisError } from "../../../core/error.ts";
import type { PreparedLeaf } from "../../../core/issuance/prepare.ts";
import type { SignOutcome } from "../../../core/issuance/sign-prepared.ts";
import { PASSING_CODES } from "../../../edge/pkcs11/pkcs11-error.ts";
import { proveSigner } from "./open-signer.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import { signerUnavailable, SigningThread } from "./signing-thread.ts";

export interface SigningTimes {
  /** For each answer of a thread. */
  readonly answerMs: number;
  /** Before another thread takes the place of one that has failed. */
  readonly restMs: number;
  /** For the end of all threads. */
  readonly endMs: number;
}

export interface SigningThreadsOptions {
  readonly parts: () => AuthorityParts;
  readonly times: SigningTimes;
  readonly onFailed: (error: unknown) => void;
  /** The first thread after a failure has its key. */
  readonly onRecovered: () => void;
  /** A thread has not ended in its time: Node will wait for it at the exit of the process, for ever maybe. */
  readonly onStuck: () => void;
}

/** Of a server. */
export const signingTimes: SigningTimes = { answerMs: 30_000, restMs: 5_000, endMs: 2_000 };

const threadsMax = 4;

export class SigningThreads implements AsyncDisposable {
  readonly #options: SigningThreadsOptions;
  readonly #usable = new Set<SigningThread>();
  /** With those that have been given up and not exited yet. */
  readonly #alive = new Set<SigningThread>();
  /** Whether those that are usable have a key in an HSM. */
  #areBlocking = false;
  #hasFailed = false;
  #isClosed = false;
  /** While a proof must be alone. */
  #isHeld = false;
  /**
   * Until then no thread takes the place of one that has failed. After a rejected PIN it is until the next reload: tokens
   * lock themselves after a few.
   */
  #restUntilMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** What is signed for another authority. */
  #other: Promise<unknown> = Promise.resolve();

  constructor(options: SigningThreadsOptions) {
    this.#options = options;
  }

  get usable(): ReadonlySet<SigningThread> {
    return this.#usable;
  }

  /** Whether the key is one that only threads may use, because its calls block. */
  get isBlocking(): boolean {
    return isBlocking(this.#options.parts());
  }

  /** Starts what is missing, if it is time. */
  fill(): void {
    if (this.#isClosed || this.#isHeld || performance.now() < this.#restUntilMs) return;
    const parts = this.#options.parts();
    const count = isBlocking(parts) ? 1 : Math.min(availableParallelism(), threadsMax);
    // A software key's threads end at once when they are told to: their successors need not wait.
    const aliveMax = isBlocking(parts) ? 1 : 2 * count;
    while (this.#usable.size < count && this.#alive.size < aliveMax) {
      this.#areBlocking = isBlocking(parts);
      const thread = this.#start(parts, (failed, error) => this.#replace(failed, error));
      this.#usable.add(thread);
      const recovered = (): void => {
        if (this.#hasFailed) this.#options.onRecovered();
        this.#hasFailed = false;
      };
      thread.ready.then(recovered, () => {});
    }
  }

  /** Does not rest any longer: the operator has asked. */
  retry(): void {
    this.#restUntilMs = -Infinity;
    if (this.isBlocking) this.fill();
  }

  /** After the authority has changed. */
  renew(): void {
    const parts = this.#options.parts();
    const isSameKind = this.#areBlocking === isBlocking(parts);
    for (const thread of this.#usable) {
      if (isSameKind) thread.renew(parts);
      else {
        // An HSM's key has one thread, and software has several.
        this.#usable.delete(thread);
        void thread.end(this.#options.times.endMs);
      }
    }
    this.retry();
  }

  /** That threads could sign for an authority, before it takes the place of this one. @throws why not */
  async prove(parts: AuthorityParts): Promise<void> {
    if (!isBlocking(parts)) return await proveSigner(parts);
    await this.#assertRoom();
    try {
      await this.#try(parts, async () => {});
    } catch (error) {
      const { size } = this.#usable;
      const wasAlone = size === 0;
      if (wasAlone || this.#alive.size > size || !mayPass(error)) throw error;
      await this.#proveAlone(parts);
    }
  }

  /** By a key in an HSM that this authority does not sign with, once. @throws why it cannot be used: then nothing is signed */
  async signFor(
    parts: AuthorityParts,
    prepared: readonly PreparedLeaf[],
  ): Promise<readonly SignOutcome[]> {
    await this.#assertRoom();
    const signing = this.#try(parts, (trial) => trial.sign(prepared));
    this.#other = signing;
    return await signing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#usable.clear();
    const { times, onStuck } = this.#options;
    const ended = await Promise.all(Array.from(this.#alive, (thread) => thread.end(times.endMs)));
    if (ended.includes(false)) onStuck();
  }

  /** Not while one begins anew, which ends the sessions of all. @throws CaCallError */
  async #assertRoom(): Promise<void> {
    await Promise.allSettled([this.#other, ...Array.from(this.#usable, ({ ready }) => ready)]);
    if (this.#isClosed || this.#alive.size > this.#usable.size) throw signerUnavailable();
  }

  async #try<T>(parts: AuthorityParts, work: (trial: SigningThread) => Promise<T>): Promise<T> {
    const trial = this.#start(parts, () => {});
    try {
      await trial.ready;
      return await work(trial);
    } finally {
      await trial.end(this.#options.times.endMs);
    }
  }

  /**
   * A module that has once seen its token away opens no session any more until it begins anew, although older sessions
   * sign again when that is back. So these end, after what they were told, and nothing is signed meanwhile.
   */
  async #proveAlone(parts: AuthorityParts): Promise<void> {
    const before = [...this.#usable];
    this.#isHeld = true;
    this.#usable.clear();
    try {
      await Promise.all(before.map((thread) => thread.answered()));
      const { endMs } = this.#options.times;
      const ended = await Promise.all(before.map((thread) => thread.end(endMs)));
      if (ended.includes(false)) throw signerUnavailable();
      await this.#try(parts, async () => {});
    } catch (error) {
      // Another certificate's key says nothing of this one's.
      if (mayPass(error) || isPinRejected(error)) this.#rest(error);
      throw error;
    } finally {
      this.#isHeld = false;
      this.fill();
    }
  }

  #start(
    parts: AuthorityParts,
    onFailed: (thread: SigningThread, error: unknown) => void,
  ): SigningThread {
    // The first initialises the module. Later a token that was away stays away for it until it begins anew, which ends all
    // sessions: only who is alone may.
    const anew = isBlocking(parts) && this.#alive.size === 0;
    const onExit = (exited: SigningThread): void => {
      this.#alive.delete(exited);
      if (this.isBlocking) this.fill();
    };
    const { answerMs } = this.#options.times;
    const thread = new SigningThread({ parts, anew, answerMs, onFailed, onExit });
    this.#alive.add(thread);
    return thread;
  }

  #replace(failed: SigningThread, error: unknown): void {
    this.#usable.delete(failed);
    this.#rest(error);
  }

  #rest(error: unknown): void {
    this.#hasFailed = true;
    this.#options.onFailed(error);
    const isPin = isPinRejected(error);
    const { restMs } = this.#options.times;
    this.#restUntilMs = isPin ? Infinity : performance.now() + restMs;
    clearTimeout(this.#timer);
    // Not only when somebody orders: a server that is not ready gets no orders.
    if (!isPin && this.isBlocking) this.#timer = setTimeout(() => this.retry(), restMs).unref();
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof PortcullisError)) return false;
  return PASSING_CODES.has(error.code) || error.code === "signer-unavailable";
}

function isPinRejected(error: unknown): boolean {
  return error instanceof PortcullisError && error.code === "pkcs11-pin-rejected";
}

function isBlocking({ source }: AuthorityParts): boolean {
  return source.kind === "pkcs11";
}
