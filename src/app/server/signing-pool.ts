/**
 * Where certificates are signed: few of them here and now, many in threads of their own, so that batches use all of the
 * machine and the event loop stays free. With a key in an HSM that is always in a thread, because its calls block.
 */

import { availableParallelism } from "node:os";
import { PortcullisError } from "../../core/error.ts";
import { replyChain, type Authority } from "../../core/issuance/authority.ts";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import {
  signWorkloads,
  type IssuedCertificate,
  type WorkloadOrder,
  type WorkloadOutcome,
} from "../../core/issuance/workload.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import { SigningThread, unavailable } from "./signing-thread.ts";

export interface SigningDependencies {
  readonly authority: () => Authority;
  readonly parts: () => AuthorityParts;
  readonly policy: () => TtlPolicy;
  readonly onFailed: (error: unknown) => void;
}

/** By the authority that signed it, even if another one has taken its place since. */
export interface SignedBatch {
  readonly outcomes: readonly WorkloadOutcome[];
  readonly replyChain: (certificate: IssuedCertificate) => readonly string[];
}

/** Below, a hand-over to a thread costs more than it saves (`npm run bench`). */
const threadedMin = 16;
/** So many at least go to one thread together. */
const chunkMin = 25;
const threadsMax = 4;
const restAfterFailureMs = 10_000;

export class SigningPool implements AsyncDisposable {
  readonly #dependencies: SigningDependencies;
  readonly #threads = new Set<SigningThread>();
  #isClosed = false;
  /**
   * Until then no thread takes the place of one that has failed. After a rejected PIN it is until the next authority:
   * tokens lock themselves after a few.
   */
  #restMs = -Infinity;

  constructor(dependencies: SigningDependencies) {
    this.#dependencies = dependencies;
  }

  /** For a key that only threads may use: resolves when they can. @throws what keeps it from being used */
  async open(): Promise<void> {
    if (!this.#isBlocking) return;
    this.#fill();
    await Promise.all(Array.from(this.#threads, ({ ready }) => ready));
  }

  /** At once where it can. */
  sign(orders: readonly WorkloadOrder[], nowMs: number): SignedBatch | Promise<SignedBatch> {
    const { authority, policy } = this.#dependencies;
    const signer = authority();
    const reply = ({ der }: IssuedCertificate): readonly string[] => replyChain(signer, der);
    const isMany = orders.length >= threadedMin;
    if (isMany || this.#isBlocking) this.#fill();
    if (!isMany && !this.#isBlocking) {
      const outcomes = signWorkloads(orders, signer, policy(), nowMs);
      return { outcomes, replyChain: reply };
    }
    return this.#signInThreads(orders, nowMs).then((outcomes) => ({ outcomes, replyChain: reply }));
  }

  /** After the authority has changed. */
  renew(): void {
    this.#restMs = -Infinity;
    for (const thread of this.#threads) thread.renew(this.#dependencies.parts());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#threads, (thread) => thread[Symbol.asyncDispose]()));
    this.#threads.clear();
  }

  get #isBlocking(): boolean {
    return this.#dependencies.parts().source.kind === "pkcs11";
  }

  #fill(): void {
    if (this.#isClosed || performance.now() < this.#restMs) return;
    const count = this.#isBlocking ? 1 : Math.min(availableParallelism(), threadsMax);
    while (this.#threads.size < count) {
      const thread = new SigningThread(this.#dependencies.parts(), (failed, error) => {
        this.#threads.delete(failed);
        const isPin = error instanceof PortcullisError && error.code === "pkcs11-pin-rejected";
        this.#restMs = isPin ? Infinity : performance.now() + restAfterFailureMs;
        this.#dependencies.onFailed(error);
      });
      this.#threads.add(thread);
    }
  }

  async #signInThreads(
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ): Promise<readonly WorkloadOutcome[]> {
    if (this.#threads.size === 0) return unavailable(orders.length);
    const policy = this.#dependencies.policy();
    const size = Math.max(chunkMin, Math.ceil(orders.length / this.#threads.size));
    const chunks = Array.from({ length: Math.ceil(orders.length / size) }, (_, index) =>
      this.#idlest().sign(orders.slice(index * size, (index + 1) * size), policy, nowMs),
    );
    return (await Promise.all(chunks)).flat();
  }

  #idlest(): SigningThread {
    const [first, ...others] = this.#threads;
    if (first === undefined) throw new TypeError("there is no signing thread");
    return others.reduce((idlest, each) => (each.load < idlest.load ? each : idlest), first);
  }
}
