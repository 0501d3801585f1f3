/**
 * The signing threads of an authority, as many as are of use. One that fails is given up, and another takes its place
 * after a rest. Threads on an HSM may be stuck in a native call, which nobody can interrupt: there is no new one before
 * the old one has exited, and so never more than one that is stuck, and the trial of a reload.
 */

import { availableParallelism } from "node:os";
import { PortcullisError } from "../../core/error.ts";
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

const threadsMax = 4;

export class SigningThreads implements AsyncDisposable {
  readonly #options: SigningThreadsOptions;
  readonly #usable = new Set<SigningThread>();
  /** With those that have been given up and not exited yet. */
  readonly #alive = new Set<SigningThread>();
  #hasFailed = false;
  #isClosed = false;
  /**
   * Until then no thread takes the place of one that has failed. After a rejected PIN it is until the next reload: tokens
   * lock themselves after a few.
   */
  #restUntilMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;

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
    if (this.#isClosed || performance.now() < this.#restUntilMs) return;
    const parts = this.#options.parts();
    const count = isBlocking(parts) ? 1 : Math.min(availableParallelism(), threadsMax);
    // A software key's threads end at once when they are told to: their successors need not wait.
    const aliveMax = isBlocking(parts) ? 1 : 2 * count;
    while (this.#usable.size < count && this.#alive.size < aliveMax) {
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
    for (const thread of this.#usable) thread.renew(this.#options.parts());
    this.retry();
  }

  /** That threads could sign for an authority, before it takes the place of this one. @throws why not */
  async prove(parts: AuthorityParts): Promise<void> {
    if (!isBlocking(parts)) return await proveSigner(parts);
    // Not while one begins anew, which ends the sessions of all.
    await Promise.allSettled(Array.from(this.#usable, ({ ready }) => ready));
    if (this.#isClosed || this.#alive.size > this.#usable.size) throw signerUnavailable();
    const trial = this.#start(parts, () => {});
    try {
      await trial.ready;
    } finally {
      await trial.end(this.#options.times.endMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#usable.clear();
    const { times, onStuck } = this.#options;
    const ended = await Promise.all(Array.from(this.#alive, (thread) => thread.end(times.endMs)));
    if (ended.includes(false)) onStuck();
  }

  #start(
    parts: AuthorityParts,
    onFailed: (thread: SigningThread, error: unknown) => void,
  ): SigningThread {
    // A module takes a token that was away for gone until it begins anew, which ends all sessions: only who is alone may.
    const anew = isBlocking(parts) && this.#hasFailed && this.#alive.size === 0;
    const onExit = (exited: SigningThread): void => {
      this.#alive.delete(exited);
      if (isBlocking(parts)) this.fill();
    };
    const { answerMs } = this.#options.times;
    const thread = new SigningThread({ parts, anew, answerMs, onFailed, onExit });
    this.#alive.add(thread);
    return thread;
  }

  #replace(failed: SigningThread, error: unknown): void {
    this.#usable.delete(failed);
    this.#hasFailed = true;
    this.#options.onFailed(error);
    const isPin = error instanceof PortcullisError && error.code === "pkcs11-pin-rejected";
    const { restMs } = this.#options.times;
    this.#restUntilMs = isPin ? Infinity : performance.now() + restMs;
    clearTimeout(this.#timer);
    // Not only when somebody orders: a server that is not ready gets no orders.
    if (!isPin && this.isBlocking) this.#timer = setTimeout(() => this.retry(), restMs).unref();
  }
}

function isBlocking({ source }: AuthorityParts): boolean {
  return source.kind === "pkcs11";
}
