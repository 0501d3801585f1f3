/**
 * Certificates of the authority that is to sign next, for agents that prove by a handshake that their Envoys take them. Recorded as
 * any signature is, within the turns that a change of trust waits for: whoever withdraws that authority finds them as its holders.
 */

import { replyChain } from "../../../core/issuance/authority.ts";
import { CaCallError } from "../../../edge/rpc/ca-status.ts";
import type { Ledger } from "../log/ledger.ts";
import type { SigningPool } from "../signing/signing-pool.ts";
import type { SigningTurns } from "../signing/signing-turns.ts";
import { CanaryError } from "./canary-error.ts";
import {
  prepareGroup,
  type CanaryOrder,
  type PrepareGroupDependencies,
  type Waiting,
} from "./canary-group.ts";
import { canaryIntent } from "./canary-intent.ts";
import type { NextAuthorityKeeper } from "./next-authority.ts";

export interface CanaryIssuerDependencies extends PrepareGroupDependencies {
  readonly next: Pick<NextAuthorityKeeper, "find" | "open">;
  readonly turns: SigningTurns;
  readonly signing: Pick<SigningPool, "signFor">;
  readonly ledger: Ledger;
  /** @throws while it is not known what a restored log has lost */
  readonly assertSettled: () => void;
  readonly onProblem: (error: unknown) => void;
}

const waitingMax = 2_048;
/** Ten thousand agents may ask at once, and whoever wants a certificate meanwhile comes in between. */
const groupMax = 20;

export class CanaryIssuer {
  readonly #dependencies: CanaryIssuerDependencies;
  #waiting: Waiting[] = [];
  #isRunning = false;
  #problem: { readonly rootSha256: string; readonly message: string } | undefined;

  constructor(dependencies: CanaryIssuerDependencies) {
    this.#dependencies = dependencies;
  }

  /** Why the last one under this root was not signed; undefined while that is no fault of ours. */
  problemOf(rootSha256: string): string | undefined {
    return this.#problem?.rootSha256 === rootSha256 ? this.#problem.message : undefined;
  }

  /**
   * @returns PEM: the leaf, then each intermediate
   * @throws CanaryError, CaCallError `queue-full`, what `Ledger.record` throws, and what is wrong with the CSR
   */
  issue(order: CanaryOrder): Promise<readonly string[]> {
    if (this.#waiting.length >= waitingMax) {
      return Promise.reject(new CaCallError("queue-full", "too many agents ask: try again later"));
    }
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    this.#waiting.push({ order, resolve, reject });
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.slice(0, groupMax);
      this.#waiting = this.#waiting.slice(groupMax);
      await this.#dependencies.turns
        .shared(() => this.#issueGroup(group))
        .catch((error: unknown) => {
          for (const { reject } of group) reject(error);
        });
    }
    this.#isRunning = false;
  }

  async #issueGroup(group: readonly Waiting[]): Promise<void> {
    const { next, assertSettled } = this.#dependencies;
    assertSettled();
    const rootSha256 = next.find()?.rootSha256;
    const wanted = group.filter(({ order }) => order.rootSha256 === rootSha256);
    for (const waiting of group) if (!wanted.includes(waiting)) waiting.reject(nothingPrepared());
    if (rootSha256 === undefined || wanted.length === 0) return;
    try {
      await this.#sign(wanted, rootSha256);
    } catch (error) {
      this.#failed(rootSha256, error);
      throw error;
    }
  }

  async #sign(group: readonly Waiting[], rootSha256: string): Promise<void> {
    const { next, ledger, signing, trustDomain } = this.#dependencies;
    const { authority, parts } = next.open();
    const ready = prepareGroup(group, authority, this.#dependencies);
    const leaves = ready.map(({ leaf }) => leaf);
    const intents = ready.map(({ waiting, leaf }) =>
      canaryIntent(waiting.order, leaf, authority, trustDomain),
    );
    const outcomes = await ledger.record(intents, () => signing.signFor(parts, authority, leaves));
    for (const [index, { waiting }] of ready.entries()) {
      const outcome = outcomes[index];
      if (outcome?.kind === "issued") {
        this.#problem = undefined;
        waiting.resolve(replyChain(authority, outcome.certificate.der).slice(0, -1));
      } else {
        this.#failed(rootSha256, outcome?.error);
        waiting.reject(outcome?.error);
      }
    }
  }

  /** Said once, and not for each agent. */
  #failed(rootSha256: string, error: unknown): void {
    const message = error instanceof Error ? error.message : "it gave no reason";
    const isNews = this.#problem?.message !== message || this.#problem.rootSha256 !== rootSha256;
    this.#problem = { rootSha256, message };
    if (isNews) this.#dependencies.onProblem(error);
  }
}

function nothingPrepared(): CanaryError {
  const message = "expected the root of an authority that is to sign next";
  return new CanaryError("canary-nothing-prepared", message);
}
