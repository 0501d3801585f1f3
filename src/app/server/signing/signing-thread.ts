/** One signing thread, seen from the server: orders in, outcomes out. When it fails, all that it was told fails. */

import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { TtlPolicy } from "../../../core/issuance/validity.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../../core/issuance/prepare.ts";
import type { SignOutcome, UnsignedOutcome } from "../../../core/issuance/sign-prepared.ts";
import type { WorkloadOrder } from "../../../core/issuance/workload.ts";
import { CaCallError } from "../../../edge/rpc/ca-status.ts";
import {
  parseError,
  parsePrepared,
  parseSigned,
  type AuthorityParts,
  type FromSigner,
  type SignerAnswer,
  type SignerRequest,
  type ToSigner,
} from "./signing-protocol.ts";
import { SigningThreadError } from "./signing-thread-error.ts";

export interface SigningThreadOptions {
  readonly parts: AuthorityParts;
  /** Whether an HSM's module is to begin anew. */
  readonly anew: boolean;
  /** An HSM that does not answer must not hold its callers for ever. */
  readonly answerMs: number;
  /** Once; the thread is of no use from then on. */
  readonly onFailed: (thread: SigningThread, error: unknown) => void;
  /** Once, when nothing of it runs any more. */
  readonly onExit: (thread: SigningThread) => void;
}

interface Pending {
  readonly count: number;
  readonly resolve: (answer: SignerAnswer) => void;
  readonly reject: (error: unknown) => void;
}

const workerFile = join(import.meta.dirname, `signing-worker${extname(import.meta.filename)}`);

export class SigningThread {
  readonly #options: SigningThreadOptions;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #exited = Promise.withResolvers<void>();
  /** When it has its key. Rejects with why it cannot have it. */
  readonly ready: Promise<void>;
  /** Of the oldest request: each answer gives the next one its own time. */
  #timer: NodeJS.Timeout | undefined;
  #nextId = 0;
  #isReady = false;
  #hasEnded = false;

  constructor(options: SigningThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(workerFile, { name: "signing" });
    this.#worker.unref();
    this.#worker.on("message", (message: FromSigner) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (code) => {
      this.#fail(SigningThreadError.exited(code));
      this.#exited.resolve();
      options.onExit(this);
    });
    const { parts, anew } = options;
    this.ready = this.#ask({ kind: "authority", parts, anew }).then(() => {
      this.#isReady = true;
    });
    // Who waits for it is told by a rejection; with nobody waiting, `onFailed` is enough.
    this.ready.catch(() => {});
  }

  /** Whether it has its key, as far as it is known here. */
  get isReady(): boolean {
    return this.#isReady && !this.#hasEnded;
  }

  /** Orders that it has not answered yet. */
  get load(): number {
    let sum = 0;
    for (const { count } of this.#pending.values()) sum += count;
    return sum;
  }

  /** What is ordered from now on is signed by this authority. */
  renew(parts: AuthorityParts): void {
    this.#ask({ kind: "authority", parts, anew: false }).catch(() => {});
  }

  /** Never rejects: what the thread cannot do any more is refused as `signer-unavailable`. */
  async prepare(
    orders: readonly WorkloadOrder[],
    { defaultTtlSeconds, maxTtlSeconds }: TtlPolicy,
    nowMs: number,
  ): Promise<readonly PrepareOutcome[]> {
    const policy = { defaultTtlSeconds, maxTtlSeconds };
    const request = { kind: "prepare", orders, policy, nowMs } as const;
    const answer = await this.#ask(request, orders.length).catch(() => undefined);
    if (answer?.kind === "prepared") return answer.outcomes.map(parsePrepared);
    return orders.map(() => ({ kind: "refused", error: signerUnavailable() }));
  }

  /** Never rejects: of what the thread does not answer nobody knows whether it was signed. */
  async sign(prepared: readonly PreparedLeaf[]): Promise<readonly SignOutcome[]> {
    const wasTold = !this.#hasEnded;
    const request = { kind: "sign", prepared } as const;
    const answer = await this.#ask(request, prepared.length).catch(() => undefined);
    if (answer?.kind === "signed") return answer.outcomes.map(parseSigned);
    return unsigned(prepared.length, wasTold ? "unknown" : "failed");
  }

  /** When it has answered all that it was told so far, or never will. */
  async answered(): Promise<void> {
    const request = { kind: "sign", prepared: [] } as const;
    await this.#ask(request).catch(() => undefined);
  }

  /**
   * A native call cannot be interrupted: an HSM that does not answer holds its thread.
   * @returns whether it has ended within that time
   */
  async end(withinMs: number): Promise<boolean> {
    this.#end(signerUnavailable());
    const late = Promise.withResolvers<false>();
    const timer = setTimeout(() => late.resolve(false), withinMs);
    const ended = this.#exited.promise.then(() => true);
    return await Promise.race([ended, late.promise]).finally(() => clearTimeout(timer));
  }

  #ask(request: SignerRequest, count = 0): Promise<SignerAnswer> {
    if (this.#hasEnded) return Promise.reject(signerUnavailable());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { count, resolve, reject });
      if (this.#pending.size === 1) this.#expectAnswer();
      this.#worker.postMessage({ id, request } satisfies ToSigner);
    });
  }

  #receive(message: FromSigner): void {
    if (message.kind === "failed") return this.#fail(parseError(message.error));
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    this.#expectAnswer();
    pending?.resolve(message.answer);
  }

  #expectAnswer(): void {
    clearTimeout(this.#timer);
    if (this.#pending.size === 0) return;
    const { answerMs } = this.#options;
    const late = (): void => this.#fail(SigningThreadError.silent(answerMs));
    this.#timer = setTimeout(late, answerMs).unref();
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.#end(error);
    this.#options.onFailed(this, error);
  }

  #end(error: unknown): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    void this.#worker.terminate();
    // Which holds the process until the thread has ended.
    this.#worker.unref();
  }
}

export function unsigned(count: number, outcome: UnsignedOutcome): readonly SignOutcome[] {
  const error = signerUnavailable();
  return Array.from({ length: count }, () => ({ kind: "refused", error, outcome }));
}

export function signerUnavailable(): CaCallError {
  return new CaCallError("signer-unavailable", "the signing key is not available: try again");
}
