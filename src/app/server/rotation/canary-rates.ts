/** How often an agent may have a certificate to try listeners with: each of them is a holder of the root that it is about. */

import { CanaryError } from "./canary-error.ts";

/** Of an agent under a root. */
const restMs = 60_000;
const agentsMax = 20_000;

interface Turn {
  readonly rootSha256: string;
  /** Undefined while it is being signed. */
  readonly signedMs: number | undefined;
}

export class CanaryRates {
  readonly #nowMs: () => number;
  readonly #turns = new Map<string, Turn>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** One at a time. @param agent as `agentKey` makes it. @throws CanaryError `canary-too-often` */
  async inTurn<T>(agent: string, rootSha256: string, work: () => Promise<T>): Promise<T> {
    this.#prune();
    const before = this.#turns.get(agent);
    if (this.#turns.size >= agentsMax || (before && !this.#isOver(before, rootSha256))) {
      throw new CanaryError("canary-too-often", "expected one request a minute: try again later");
    }
    this.#turns.set(agent, { rootSha256, signedMs: undefined });
    try {
      const result = await work();
      this.#turns.set(agent, { rootSha256, signedMs: this.#nowMs() });
      return result;
    } catch (error) {
      this.#turns.delete(agent);
      throw error;
    }
  }

  #isOver({ rootSha256, signedMs }: Turn, wanted: string): boolean {
    if (signedMs === undefined) return false;
    // A clock that was set back keeps nobody out.
    return rootSha256 !== wanted || Math.abs(this.#nowMs() - signedMs) >= restMs;
  }

  #prune(): void {
    if (this.#turns.size < agentsMax) return;
    for (const [agent, turn] of this.#turns) {
      if (turn.signedMs !== undefined && this.#isOver(turn, turn.rootSha256)) {
        this.#turns.delete(agent);
      }
    }
  }
}
