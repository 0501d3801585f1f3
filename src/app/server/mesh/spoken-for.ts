/**
 * For whom a node agent's stream speaks: the workloads whose tokens it has shown there, until those
 * expire. What is kept is the identity; the tokens are forgotten at once, also one whose key is not
 * known yet, or about which somebody else is asked: the agent, whose evidence does not count, shows it again.
 */

import type { Caller } from "../../../core/identity/caller.ts";
import { PendingCaller } from "../../../core/identity/pending-caller.ts";
import type { SpiffeId } from "../../../core/spiffe/id.ts";
import { isHealedByRefresh } from "../../../edge/authn/token-authenticator.ts";

export interface NodeAgents {
  /** Whether the operator has named it. */
  readonly isNodeAgent: (id: SpiffeId) => boolean;
  /** @throws AuthnError; PendingCaller */
  readonly authenticate: (token: string, nowMs: number) => Caller;
  /** Reads the token issuers' keys anew, after a token named an unknown one. Never rejects. */
  readonly refreshKeys: () => Promise<unknown>;
}

const identitiesMax = 4_096;
/** No SPIFFE ID. */
const everybody = "";

export class SpokenFor {
  readonly #nodeAgents: NodeAgents;
  /** By SPIFFE ID. */
  readonly #untilMs = new Map<string, number>();
  readonly #told = new Set<string>();
  /** By SPIFFE ID, why something is missing. */
  readonly #missed = new Map<string, "token" | "room">();

  constructor(nodeAgents: NodeAgents) {
    this.#nodeAgents = nodeAgents;
  }

  /** Agents say again what did not count, and the log need not: once on a stream, until it has counted. */
  isNews(problem: string): boolean {
    if (this.#told.has(problem)) return false;
    if (this.#told.size >= identitiesMax) this.#told.clear();
    this.#told.add(problem);
    return true;
  }

  /** Passes over what is not believed. @returns why, for each token that does not count */
  take(tokens: readonly string[], nowMs: number): unknown[] {
    this.#prune(nowMs);
    const refused: unknown[] = [];
    for (const token of tokens) {
      try {
        this.#add(this.#nodeAgents.authenticate(token, nowMs));
      } catch (error) {
        if (error instanceof PendingCaller) this.#addLater(error);
        else refused.push(error);
      }
    }
    // Nobody waits for it: one issuer that does not answer must not hold back the evidence of all others.
    if (refused.some(isHealedByRefresh)) void this.#nodeAgents.refreshKeys();
    return refused;
  }

  has(spiffeId: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(spiffeId);
    return untilMs !== undefined && nowMs < untilMs;
  }

  identities(nowMs: number): string[] {
    return [...this.#untilMs.keys()].filter((spiffeId) => this.has(spiffeId, nowMs));
  }

  /** All that the agent knows is told from now on. */
  begin(): void {
    this.#missed.clear();
  }

  /** Of its proxies something was told, and not kept: they may be more than the roll has. @param reason "token": it is told again */
  miss(spiffeId: string, reason: "token" | "room"): void {
    if (this.#missed.size >= identitiesMax) this.#missed.set(everybody, "room");
    else if (this.#missed.get(spiffeId) !== "room") this.#missed.set(spiffeId, reason);
  }

  /** What was told of its proxies has been kept. */
  keep(spiffeId: string): void {
    if (this.#missed.get(spiffeId) === "token") this.#missed.delete(spiffeId);
  }

  /** Whether it counts that the agent tells of no other proxies of an identity. */
  knowsAll(spiffeId: string, nowMs: number): boolean {
    if (this.#missed.has(spiffeId) || this.#missed.has(everybody)) return false;
    return this.has(spiffeId, nowMs);
  }

  /** Whom it speaks for by then; of a refusal it learns when it shows the token again. */
  #addLater({ ask }: PendingCaller): void {
    void ask()
      .then((caller) => this.#add(caller))
      .catch(() => {});
  }

  #add({ id, expiresAtMs }: Caller): void {
    const spiffeId = id.toString();
    const untilMs = this.#untilMs.get(spiffeId);
    if (untilMs === undefined && this.#untilMs.size >= identitiesMax) {
      throw new RangeError(`expected at most ${identitiesMax} identities on a stream`);
    }
    this.#told.delete(spiffeId);
    this.#untilMs.set(spiffeId, Math.max(untilMs ?? 0, expiresAtMs));
  }

  #prune(nowMs: number): void {
    for (const [spiffeId, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(spiffeId);
    }
  }
}
