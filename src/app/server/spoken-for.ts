/**
 * For whom a node agent's stream speaks: the workloads whose tokens it has shown there, until those
 * expire. What is kept is the identity; the tokens are forgotten at once.
 */

import type { Caller } from "../../core/identity/caller.ts";
import type { SpiffeId } from "../../core/spiffe/id.ts";

export interface NodeAgents {
  /** Whether the operator has named it. */
  readonly isNodeAgent: (id: SpiffeId) => boolean;
  /** @throws AuthnError */
  readonly authenticate: (token: string, nowMs: number) => Caller;
}

const identitiesMax = 4_096;

export class SpokenFor {
  readonly #authenticate: NodeAgents["authenticate"];
  /** By SPIFFE ID. */
  readonly #untilMs = new Map<string, number>();

  constructor({ authenticate }: NodeAgents) {
    this.#authenticate = authenticate;
  }

  /** Passes over what is not believed. @returns why, for each token that does not count */
  take(tokens: readonly string[], nowMs: number): unknown[] {
    this.#prune(nowMs);
    const refused: unknown[] = [];
    for (const token of tokens) {
      try {
        this.#add(this.#authenticate(token, nowMs));
      } catch (error) {
        refused.push(error);
      }
    }
    return refused;
  }

  has(spiffeId: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(spiffeId);
    return untilMs !== undefined && nowMs < untilMs;
  }

  #add({ id, expiresAtMs }: Caller): void {
    const spiffeId = id.toString();
    const untilMs = this.#untilMs.get(spiffeId);
    if (untilMs === undefined && this.#untilMs.size >= identitiesMax) {
      throw new RangeError(`expected at most ${identitiesMax} identities on a stream`);
    }
    this.#untilMs.set(spiffeId, Math.max(untilMs ?? 0, expiresAtMs));
  }

  #prune(nowMs: number): void {
    for (const [spiffeId, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(spiffeId);
    }
  }
}
