/**
 * Where certificates are signed: few of them here and now, many in threads of their own, so that batches use all of the
 * machine and the event loop stays free. With a key in an HSM that is always in a thread, because its calls block.
 */

import { replyChain, type Authority } from "../../core/issuance/authority.ts";
import type { TtlPolicy } from "../../core/issuance/validity.ts";
import {
  signWorkloads,
  type IssuedCertificate,
  type WorkloadOrder,
  type WorkloadOutcome,
} from "../../core/issuance/workload.ts";
import {
  issueServingCertificate,
  type ServingCertificate,
  type ServingOrder,
} from "./serving-certificate.ts";
import type { AuthorityParts } from "./signing-protocol.ts";
import { signerUnavailable, unavailable, type SigningThread } from "./signing-thread.ts";
import { SigningThreads, type SigningThreadsOptions } from "./signing-threads.ts";

export interface SigningDependencies extends SigningThreadsOptions {
  readonly authority: () => Authority;
  readonly policy: () => TtlPolicy;
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

  /** At once where it can. */
  sign(orders: readonly WorkloadOrder[], nowMs: number): SignedBatch | Promise<SignedBatch> {
    const { authority, policy } = this.#dependencies;
    const { isBlocking } = this.#threads;
    const signer = authority();
    const reply = ({ der }: IssuedCertificate): readonly string[] => replyChain(signer, der);
    const isMany = orders.length >= threadedMin;
    if (isMany || isBlocking) this.#threads.fill();
    if (!isMany && !isBlocking) {
      const outcomes = signWorkloads(orders, signer, policy(), nowMs);
      return { outcomes, replyChain: reply };
    }
    return this.#signInThreads(orders, nowMs).then((outcomes) => ({ outcomes, replyChain: reply }));
  }

  /** A certificate of the server's own. @throws what keeps it from being signed */
  async issueServing(order: ServingOrder): Promise<ServingCertificate> {
    if (!this.#threads.isBlocking) {
      const { names, nowMs, uri, ...bundle } = order;
      const trust = { authority: this.#dependencies.authority(), bundle };
      return issueServingCertificate(trust, names, nowMs, uri);
    }
    this.#threads.fill();
    const [thread] = this.#threads.usable;
    if (thread === undefined) throw signerUnavailable();
    return await thread.issue(order);
  }

  /** That it could sign for an authority, before that takes the place of this one. @throws why not */
  prove(parts: AuthorityParts): Promise<void> {
    return this.#threads.prove(parts);
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

  async #signInThreads(
    orders: readonly WorkloadOrder[],
    nowMs: number,
  ): Promise<readonly WorkloadOutcome[]> {
    const threads = [...this.#threads.usable];
    if (threads.length === 0) return unavailable(orders.length);
    const policy = this.#dependencies.policy();
    const size = Math.max(chunkMin, Math.ceil(orders.length / threads.length));
    const chunks = Array.from({ length: Math.ceil(orders.length / size) }, (_, index) =>
      idlest(threads).sign(orders.slice(index * size, (index + 1) * size), policy, nowMs),
    );
    return (await Promise.all(chunks)).flat();
  }
}

function idlest([first, ...others]: readonly SigningThread[]): SigningThread {
  if (first === undefined) throw new TypeError("there is no signing thread");
  return others.reduce((found, each) => (each.load < found.load ? each : found), first);
}
