/** One signing thread, seen from the server: orders in, outcomes out. When it fails, all that it was told fails. */

import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import type { WorkloadOrder, WorkloadOutcome } from "../../core/issuance/workload.ts";
import { CaCallError } from "../../edge/rpc/ca-status.ts";
import {
  parseError,
  type AuthorityParts,
  type FromSigner,
  type ToSigner,
  type WireOutcome,
} from "./signing-protocol.ts";

interface Pending {
  readonly count: number;
  readonly resolve: (outcomes: readonly WorkloadOutcome[]) => void;
}

/** An HSM that does not answer must not hold its callers for ever. */
const answerTimeoutMs = 30_000;
const workerFile = join(import.meta.dirname, `signing-worker${extname(import.meta.filename)}`);

export class SigningThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #onFailed: (thread: SigningThread, error: unknown) => void;
  /** Of the oldest order: each answer gives the next one its own time. */
  #timer: NodeJS.Timeout | undefined;
  #nextId = 0;
  #failed = false;

  /** @param onFailed once; the thread is of no use from then on */
  constructor(parts: AuthorityParts, onFailed: (thread: SigningThread, error: unknown) => void) {
    this.#onFailed = onFailed;
    // Who waits for it is told by a rejection; with nobody waiting, `onFailed` is enough.
    this.#ready.promise.catch(() => {});
    this.#worker = new Worker(workerFile, { name: "signing" });
    this.#worker.unref();
    this.#worker.on("message", (message: FromSigner) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", (code) => this.#fail(new Error(`the thread has exited with ${code}`)));
    this.renew(parts);
  }

  /** When it has its key. Rejects with why it cannot have it. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Orders that it has not answered yet. */
  get load(): number {
    let sum = 0;
    for (const { count } of this.#pending.values()) sum += count;
    return sum;
  }

  /** What is ordered from now on is signed by this authority. */
  renew(parts: AuthorityParts): void {
    this.#post({ kind: "authority", parts });
  }

  /** Never rejects: what the thread cannot do any more is refused as `signer-unavailable`. */
  sign(
    orders: readonly WorkloadOrder[],
    policy: TtlPolicy,
    nowMs: number,
  ): Promise<readonly WorkloadOutcome[]> {
    const count = orders.length;
    if (this.#failed) return Promise.resolve(unavailable(count));
    const id = this.#nextId++;
    const { defaultTtlSeconds, maxTtlSeconds } = policy;
    return new Promise((resolve) => {
      this.#pending.set(id, { count, resolve });
      if (this.#pending.size === 1) this.#expectAnswer();
      this.#post({
        kind: "orders",
        id,
        orders,
        policy: { defaultTtlSeconds, maxTtlSeconds },
        nowMs,
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#worker.terminate();
  }

  #post(message: ToSigner): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromSigner): void {
    if (message.kind === "ready") return this.#ready.resolve();
    if (message.kind === "failed") return this.#fail(parseError(message.error));
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    this.#expectAnswer();
    pending?.resolve(message.outcomes.map(parseOutcome));
  }

  #expectAnswer(): void {
    clearTimeout(this.#timer);
    if (this.#pending.size === 0) return;
    const late = (): void => this.#fail(new Error(`no answer within ${answerTimeoutMs} ms`));
    this.#timer = setTimeout(late, answerTimeoutMs).unref();
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#end();
    this.#ready.reject(error);
    void this.#worker.terminate();
    this.#onFailed(this, error);
  }

  #end(): void {
    this.#failed = true;
    clearTimeout(this.#timer);
    for (const { count, resolve } of this.#pending.values()) resolve(unavailable(count));
    this.#pending.clear();
  }
}

function parseOutcome(outcome: WireOutcome): WorkloadOutcome {
  if (outcome.kind === "issued") return outcome;
  return { kind: "refused", error: parseError(outcome.error) };
}

export function unavailable(count: number): readonly WorkloadOutcome[] {
  const error = new CaCallError(
    "signer-unavailable",
    "the signing key is not available: try again",
  );
  return Array.from({ length: count }, () => ({ kind: "refused", error }));
}
