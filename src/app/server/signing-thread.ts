/** One signing thread, seen from the server: orders in, outcomes out. When it fails, all that it was told fails. */

import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import type { WorkloadOrder, WorkloadOutcome } from "../../core/issuance/workload.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import type { ServingCertificate, ServingOrder } from "./serving-certificate.ts";
import {
  parseError,
  parseOutcome,
  type AuthorityParts,
  type FromSigner,
  type SignerAnswer,
  type SignerRequest,
  type ToSigner,
} from "./signing-protocol.ts";

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
      this.#fail(new Error(`the thread has exited with ${code}`));
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
  async sign(
    orders: readonly WorkloadOrder[],
    { defaultTtlSeconds, maxTtlSeconds }: TtlPolicy,
    nowMs: number,
  ): Promise<readonly WorkloadOutcome[]> {
    const policy = { defaultTtlSeconds, maxTtlSeconds };
    const request = { kind: "workloads", orders, policy, nowMs } as const;
    const answer = await this.#ask(request, orders.length).catch(() => undefined);
    return answer?.kind === "outcomes"
      ? answer.outcomes.map(parseOutcome)
      : unavailable(orders.length);
  }

  /** Rejects with why there can be none. */
  async issue(order: ServingOrder): Promise<ServingCertificate> {
    const answer = await this.#ask({ kind: "serving", order }, 1);
    if (answer.kind === "serving") return answer.certificate;
    throw answer.kind === "refused" ? parseError(answer.error) : signerUnavailable();
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
    const late = (): void => this.#fail(new Error(`no answer within ${answerMs} ms`));
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

export function unavailable(count: number): readonly WorkloadOutcome[] {
  const error = signerUnavailable();
  return Array.from({ length: count }, () => ({ kind: "refused", error }));
}

export function signerUnavailable(): CaCallError {
  return new CaCallError("signer-unavailable", "the signing key is not available: try again");
}
