/**
 * Where certificates are signed: few of them here and now, many in threads of their own, so that batches use all of the
 * machine and the event loop stays free. With a key in an HSM that is always in a thread, because its calls block.
 */

import type { Authority } from "../../../core/issuance/authority.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../../core/issuance/prepare.ts";
import { signPrepared, type SignOutcome } from "../../../core/issuance/sign-prepared.ts";
import type { TtlPolicy } from "../../../core/issuance/validity.ts";
import { prepareWorkloads, type WorkloadOrder } from "../../../core/issuance/workload.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import { unsigned, type SigningThread } from "./signing-thread.ts";
import { SigningThreads, type SigningThreadsOptions } from "./signing-threads.ts";

export interface SigningDependencies extends SigningThreadsOptions {
  readonly authority: () => Authority;
  readonly policy: () => TtlPolicy;
}

/** Below, a hand-over to a thread costs more than it saves (`npm run bench`). */
const threadedMin = 16;
/** So many at least go to one thread together. */
const chunkMin = 25;

export class SigningPool implements AsyncDisposable {
  readonly #dependencies: SigningDependencies;
  readonly #threads: SigningThreads;

  constructor(dependencies: SigningDependencies) {
    this.#dependencies = dependencies;
    this.#threads = new SigningThreads(dependencies);
  }

  /** For a key that only threads may use: resolves when they can. @throws what keeps it from being used */
  async open(): Promise<void> {
    if (!this.#threads.isBlocking) return;
    this.#threads.fill();
    await Promise.all(Array.from(this.#threads.usable, ({ ready }) => ready));
  }

  /** False while a key that only threads may use has none. That an HSM has gone is known by what it does not sign. */
  get isAvailable(): boolean {
    const { isBlocking, usable } = this.#threads;
    return !isBlocking || [...usable].some(({ isReady }) => isReady);
  }

  /** The first half, for which no key is needed; at once where it can. */
  prepare(
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ): readonly PrepareOutcome[] | Promise<readonly PrepareOutcome[]> {
    const { authority, policy } = this.#dependencies;
    const isHere = orders.length < threadedMin || this.#threads.isBlocking;
    if (!isHere) this.#threads.fill();
    const threads = isHere ? [] : [...this.#threads.usable];
    if (threads.length === 0) return prepareWorkloads(orders, authority(), policy(), nowMs);
    return inChunks(orders, threads, (thread, chunk) => thread.prepare(chunk, policy(), nowMs));
  }

  /** The second half: where the key is, and at once where it can. Never rejects. */
  sign(
    prepared: readonly PreparedLeaf[],
  ): readonly SignOutcome[] | Promise<readonly SignOutcome[]> {
    const { isBlocking } = this.#threads;
    if (prepared.length < threadedMin && !isBlocking) {
      return signPrepared(prepared, this.#dependencies.authority());
    }
    this.#threads.fill();
    const threads = [...this.#threads.usable];
    if (threads.length === 0) return unsigned(prepared.length, "failed");
    return inChunks(prepared, threads, (thread, chunk) => thread.sign(chunk));
  }

  /** That it could sign for an authority, before that takes the place of this one. @throws why not */
  prove(parts: AuthorityParts): Promise<void> {
    return this.#threads.prove(parts);
  }

  /** For an authority that does not sign yet. @param authority made of those parts. Never rejects. */
  async signFor(
    parts: AuthorityParts,
    authority: Authority,
    prepared: readonly PreparedLeaf[],
  ): Promise<readonly SignOutcome[]> {
    if (parts.source.kind === "software") return signPrepared(prepared, authority);
    try {
      return await this.#threads.signFor(parts, prepared);
    } catch (error) {
      return prepared.map(() => ({ kind: "refused", error, outcome: "failed" }));
    }
  }

  /** After the authority has changed. */
  renew(): void {
    this.#threads.renew();
  }

  /** At once, for a key that could not be used. */
  retry(): void {
    this.#threads.retry();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#threads[Symbol.asyncDispose]();
  }
}

async function inChunks<Order, Outcome>(
  orders: readonly Order[],
  threads: readonly SigningThread[],
  work: (thread: SigningThread, chunk: readonly Order[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const size = Math.max(chunkMin, Math.ceil(orders.length / threads.length));
  const chunks = Array.from({ length: Math.ceil(orders.length / size) }, (_, index) =>
    work(idlest(threads), orders.slice(index * size, (index + 1) * size)),
  );
  return (await Promise.all(chunks)).flat();
}

function idlest([first, ...others]: readonly SigningThread[]): SigningThread {
  if (first === undefined) throw new TypeError("there is no signing thread");
  return others.reduce((found, each) => (each.load < found.load ? each : found), first);
}
