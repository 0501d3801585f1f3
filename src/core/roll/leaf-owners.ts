/**
 * Who has an unexpired certificate, by the log: whom the gate of the verifiers waits for, seen or not. An owner is an agent
 * of an identity; where no agent is named, a pod; where there is none, the certificate alone. Made anew whenever something
 * is to be decided: from the log in chunks, and from what is issued meanwhile, in any order.
 */

import type { Reporter } from "./evidence.ts";
import { endOf, skewMaxMs, type LeafRecord } from "./leaf-record.ts";

export interface LeafOwner {
  readonly identity: string;
  /** "" for one without: it confirms by its certificates' replies. */
  readonly agent: string;
  /** Of the certificate that ends last. */
  readonly serialHex: string;
  readonly notAfterMs: number;
  /** Of its newest intent in the log. */
  readonly lastIndex: number;
  /** Of its newest one that was signed; -1 for none. */
  readonly signedIndex: number;
}

export type LeavingAgent = Pick<Reporter, "agentId" | "spiffeId"> & {
  /** It held certificates of every identity that it spoke for. */
  readonly isNodeAgent: boolean;
};

const ownersMax = 1_000_000;
/** So long may the result of an intent from before a goodbye be on its way. */
const goodbyeKeptMs = 3_600_000;

export class LeafOwners {
  readonly #owners = new Map<string, LeafOwner>();
  /** Its index in the log, and its time. */
  readonly #goodbyes = new Map<string, { readonly index: number; readonly atMs: number }>();
  #isBuilt = false;
  #isFull = false;

  /** Whether it knows all: what the log had when it was begun, and everything since. */
  get isBuilt(): boolean {
    return this.#isBuilt && !this.#isFull;
  }

  /** The last chunk of the log has been added. */
  built(): void {
    this.#isBuilt = true;
  }

  /** By agent `agentKey` tells, else by a key of their own. */
  entries(): MapIterator<[string, LeafOwner]> {
    return this.#owners.entries();
  }

  get(key: string): LeafOwner | undefined {
    return this.#owners.get(key);
  }

  /**
   * From the log, and at each result that is signed or unknown. The same one twice is one.
   * Where there is no room it does not know all, and never will.
   */
  add(leaf: LeafRecord): void {
    if (this.#hasLeft(leaf)) return;
    const key = keyOf(leaf);
    const known = this.#owners.get(key);
    if (known === undefined && this.#owners.size >= ownersMax) {
      this.#isFull = true;
      return;
    }
    this.#owners.set(key, known === undefined ? ownerOf(leaf) : withLeaf(known, leaf));
  }

  /** Its keys are destroyed. @param index of the event in the log */
  goodbye(agent: LeavingAgent, index: number, atMs: number): void {
    this.#goodbyes.set(goodbyeKey(agent), { index, atMs });
    for (const [key, owner] of agent.isNodeAgent ? this.#owners : this.#entry(agent)) {
      const isOver = owner.agent === agent.agentId && owner.lastIndex < index;
      if (isOver) this.#owners.delete(key);
    }
  }

  /** Forgets whose certificates have all expired, by any clock. */
  prune(nowMs: number): void {
    for (const [key, { notAfterMs }] of this.#owners) {
      if (nowMs >= endOf(notAfterMs, skewMaxMs)) this.#owners.delete(key);
    }
    if (!this.isBuilt) return;
    for (const [key, { atMs }] of this.#goodbyes) {
      if (nowMs >= atMs + goodbyeKeptMs) this.#goodbyes.delete(key);
    }
  }

  #entry(agent: LeavingAgent): readonly (readonly [string, LeafOwner])[] {
    const key = agentKey(agent.spiffeId, agent.agentId);
    const owner = this.#owners.get(key);
    return owner === undefined ? [] : [[key, owner]];
  }

  #hasLeft({ identity, agent, intentIndex }: LeafRecord): boolean {
    if (agent === "" || this.#goodbyes.size === 0) return false;
    const own = this.#goodbyes.get(agentKey(identity, agent))?.index ?? -1;
    const nodes = this.#goodbyes.get(agentKey("", agent))?.index ?? -1;
    return intentIndex < Math.max(own, nodes);
  }
}

/** As the roll names agents, too. A SPIFFE ID has no space (SPIFFE-ID 2). */
export function agentKey(spiffeId: string, agentId: string): string {
  return `${spiffeId} ${agentId}`;
}

function goodbyeKey({ spiffeId, agentId, isNodeAgent }: LeavingAgent): string {
  return agentKey(isNodeAgent ? "" : spiffeId, agentId);
}

function keyOf({ identity, agent, podUid, serialHex }: LeafRecord): string {
  if (agent !== "") return agentKey(identity, agent);
  return podUid === "" ? `\n${serialHex}` : `${identity}\n${podUid}`;
}

function ownerOf(leaf: LeafRecord): LeafOwner {
  const { identity, agent, serialHex, notAfterMs, intentIndex } = leaf;
  const signedIndex = signedIndexOf(leaf);
  return { identity, agent, serialHex, notAfterMs, lastIndex: intentIndex, signedIndex };
}

function withLeaf(owner: LeafOwner, leaf: LeafRecord): LeafOwner {
  const last = leaf.notAfterMs > owner.notAfterMs ? leaf : owner;
  return {
    ...owner,
    serialHex: last.serialHex,
    notAfterMs: last.notAfterMs,
    lastIndex: Math.max(owner.lastIndex, leaf.intentIndex),
    signedIndex: Math.max(owner.signedIndex, signedIndexOf(leaf)),
  };
}

function signedIndexOf({ outcome, intentIndex }: LeafRecord): number {
  return outcome === "signed" ? intentIndex : -1;
}
