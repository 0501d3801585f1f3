/**
 * Who has an unexpired certificate, by the log: whom the gate of the verifiers waits for, seen or not. An owner is an agent
 * of an identity; where no agent is named, the certificate alone. Made anew whenever something
 * is to be decided: from the log in chunks, and from what is issued meanwhile, in any order.
 */

import type { Reporter } from "./evidence.ts";
import { endOf, skewMaxMs, type LeafRecord } from "./leaf-record.ts";

export interface LeafOwner {
  readonly identity: string;
  /** All those of the identity that are too many to be told apart. */
  readonly isRest: boolean;
  /** "" for one without: it confirms by its certificates' replies. */
  readonly agent: string;
  /** In which all of its certificates were asked for; none where they say more than one, or do not say. */
  readonly pod?: string;
  /** Of the certificate that ends last. */
  readonly serialHex: string;
  readonly notAfterMs: number;
  /** Of its newest intent in the log. */
  readonly lastIndex: number;
  /** Of its newest one that was signed; -1 for none. */
  readonly signedIndex: number;
}

/** Of one identity: a node agent leaves each that it served by itself. */
export interface LeavingAgent extends Pick<Reporter, "spiffeId"> {
  /** As the log names it. */
  readonly agent: string;
  /** In the log, of the last certificate that it can have had. */
  readonly lastIndex: number;
}

const ownersMax = 1_000_000;
/** An agent's id is its own word: a workload that makes them up must not fill the books for all others. */
export const ownersPerIdentityMax = 10_000;
/** So long may the result of an intent from before a goodbye be on its way. */
const goodbyeKeptMs = 3_600_000;

export class LeafOwners {
  readonly #max: number;
  readonly #owners = new Map<string, LeafOwner>();
  /** By key of the owner: the last certificate that it ends, and its time. */
  readonly #goodbyes = new Map<string, { readonly lastIndex: number; readonly atMs: number }>();
  /** Owners of each identity. */
  readonly #counts = new Map<string, number>();
  #isBuilt = false;
  #missedUntilMs = 0;

  constructor(max: number = ownersMax) {
    this.#max = max;
  }

  /** Whether it has had all: what the log had when it was begun, and everything since. */
  get isBuilt(): boolean {
    return this.#isBuilt;
  }

  /** When the last certificate ends of those for which there was no room; 0 for none. */
  get missedUntilMs(): number {
    return this.#missedUntilMs;
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

  /** From the log, and at each result that is signed or unknown. The same one twice is one. */
  add(leaf: LeafRecord): void {
    if (this.#hasLeft(leaf)) return;
    const count = this.#counts.get(leaf.identity) ?? 0;
    const isRest = !this.#owners.has(keyOf(leaf)) && count >= ownersPerIdentityMax;
    const key = isRest ? restKey(leaf) : keyOf(leaf);
    const known = this.#owners.get(key);
    if (known !== undefined) {
      this.#owners.set(key, withLeaf(known, leaf));
    } else if (this.#owners.size >= this.#max) {
      this.#missedUntilMs = Math.max(this.#missedUntilMs, leaf.notAfterMs);
    } else {
      this.#owners.set(key, ownerOf(leaf, isRest));
      this.#counts.set(leaf.identity, count + 1);
    }
  }

  /** Its keys are destroyed. */
  goodbye({ spiffeId, agent, lastIndex }: LeavingAgent, atMs: number): void {
    const key = agentKey(spiffeId, agent);
    const before = this.#goodbyes.get(key)?.lastIndex ?? -1;
    this.#goodbyes.set(key, { lastIndex: Math.max(before, lastIndex), atMs });
    const owner = this.#owners.get(key);
    if (owner !== undefined && owner.lastIndex <= lastIndex) this.#delete(key, owner);
  }

  /** Forgets whose certificates have all expired, by any clock. */
  prune(nowMs: number): void {
    for (const [key, owner] of this.#owners) {
      if (nowMs >= endOf(owner.notAfterMs, skewMaxMs)) this.#delete(key, owner);
    }
    if (!this.isBuilt) return;
    for (const [key, { atMs }] of this.#goodbyes) {
      if (nowMs >= atMs + goodbyeKeptMs) this.#goodbyes.delete(key);
    }
  }

  #delete(key: string, { identity }: LeafOwner): void {
    this.#owners.delete(key);
    const count = (this.#counts.get(identity) ?? 0) - 1;
    if (count > 0) this.#counts.set(identity, count);
    else this.#counts.delete(identity);
  }

  #hasLeft({ identity, agent, intentIndex }: LeafRecord): boolean {
    if (agent === "" || this.#goodbyes.size === 0) return false;
    const goodbye = this.#goodbyes.get(agentKey(identity, agent));
    return goodbye !== undefined && intentIndex <= goodbye.lastIndex;
  }
}

/** As the roll names agents, too. A SPIFFE ID has no space (SPIFFE-ID 2). */
export function agentKey(spiffeId: string, agentId: string): string {
  return `${spiffeId} ${agentId}`;
}

const nodeAgent = "node/";

/**
 * How the log names a node agent that asks for its workloads' certificates: no agent may call itself so, so that neither can be
 * taken for the other.
 */
export function nodeAgentName(agentId: string): string {
  return `${nodeAgent}${agentId}`;
}

export function isNodeAgentName(agent: string): boolean {
  return agent.startsWith(nodeAgent);
}

/** In one pod there may be two who know nothing of each other: what one has got again, the other has not. */
function keyOf({ identity, agent, serialHex }: LeafRecord): string {
  return agent === "" ? `\n${serialHex}` : agentKey(identity, agent);
}

/** No agent, and no certificate, has it. */
function restKey({ identity }: LeafRecord): string {
  return `${identity}\n`;
}

function ownerOf(leaf: LeafRecord, isRest: boolean): LeafOwner {
  const { identity, serialHex, notAfterMs, intentIndex } = leaf;
  const agent = isRest ? "" : leaf.agent;
  const signedIndex = signedIndexOf(leaf);
  const pod = isRest ? {} : podOf(leaf.pod);
  const ofLeaf = { serialHex, notAfterMs, lastIndex: intentIndex, signedIndex };
  return { identity, isRest, agent, ...pod, ...ofLeaf };
}

function withLeaf(owner: LeafOwner, leaf: LeafRecord): LeafOwner {
  const last = leaf.notAfterMs > owner.notAfterMs ? leaf : owner;
  const { pod, ...rest } = owner;
  return {
    ...rest,
    ...podOf(pod === leaf.pod ? pod : undefined),
    serialHex: last.serialHex,
    notAfterMs: last.notAfterMs,
    lastIndex: Math.max(owner.lastIndex, leaf.intentIndex),
    signedIndex: Math.max(owner.signedIndex, signedIndexOf(leaf)),
  };
}

function podOf(pod: string | undefined): Pick<LeafOwner, "pod"> {
  return pod === undefined ? {} : { pod };
}

function signedIndexOf({ outcome, intentIndex }: LeafRecord): number {
  return outcome === "signed" ? intentIndex : -1;
}
