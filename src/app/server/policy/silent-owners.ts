/**
 * Agents with an unexpired certificate that have not told all their proxies since the server's start. Soft, as the roll is: each has to
 * come, or its certificates have to end. The log's owners are gone through rarely: what agents say meanwhile is kept up to date here.
 */

import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey, nodeAgentName, type LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { endOf, skewMaxMs } from "../../../core/roll/leaf-record.ts";
import { OwnedIdentities } from "./owned-identities.ts";

export interface OwnersView {
  /** Whether all of the log has been read. */
  readonly isBuilt: boolean;
  /** When the last certificate ends of owners for whom there was no room; none without. */
  readonly missedUntilMs?: number;
  readonly all: () => Iterable<LeafOwner>;
}

/** Identities of whose proxies an agent has told something that is not kept. */
export interface MissedIdentities {
  /** No token of theirs counts yet. */
  readonly unproven: Iterable<string>;
  /** There was no room. */
  readonly dropped: Iterable<string>;
}

export interface SilentOwnersDependencies {
  /** Who has an unexpired certificate, by the log. */
  readonly owners: () => OwnersView;
  /** Identities that the operator has named as node agents. */
  readonly nodeAgents: () => ReadonlySet<string>;
}

export interface SilenceNews {
  readonly identity: string;
  /** "" for any, or for none. */
  readonly pod: string;
}

/** As often as the log's owners are pruned, or oftener. */
const readAgainMs = 30_000;

export class SilentOwners {
  readonly #dependencies: SilentOwnersDependencies;
  /** Keys of agents; undefined once everybody was heard: whoever gets a certificate later tells by itself. */
  #heard: Set<string> | undefined = new Set();
  /** Those that are node agents, with their ids. */
  readonly #nodes = new Map<string, string>();
  /** By key of an agent: of whom it has told something that is not kept. */
  readonly #missed = new Map<string, ReadonlySet<string>>();
  /** Undefined until the log has been read, and where nobody is waited for. */
  #owned: OwnedIdentities | undefined;
  /** There was no room for all owners. */
  #mayBeMore = false;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: SilentOwnersDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Goes through the owners, if that is due.
   * @param isAwaited whether somebody is waited for, and may be no more
   * @returns whether it did: anybody may be silent, or not, since then
   */
  read(isAwaited: boolean, nowMs: number, provenNowMs: number): boolean {
    if (this.#isSettled || Math.abs(nowMs - this.#readAtMs) < readAgainMs) return false;
    if (this.#owned !== undefined && !isAwaited) return false;
    const { isBuilt, missedUntilMs = 0, all } = this.#dependencies.owners();
    if (!isBuilt) return false;
    this.#readAtMs = nowMs;
    this.#mayBeMore = missedUntilMs > 0 && provenNowMs < endOf(missedUntilMs, skewMaxMs);
    this.#owned = this.#index(all());
    this.#settle();
    return true;
  }

  /** It has told all its proxies, or has none of ours. @returns who is silent, or not, because of it */
  heard(
    { spiffeId, agentId }: Reporter,
    isNodeAgent: boolean,
    { unproven, dropped }: MissedIdentities,
  ): readonly SilenceNews[] {
    const key = agentKey(spiffeId, agentId);
    const before = this.#missed.get(key) ?? nobody;
    const missed = new Set(this.#heard === undefined ? dropped : [...unproven, ...dropped]);
    const isFirst = this.#heard?.has(key) === false;
    if (!isFirst && missed.size + before.size === 0) return [];
    this.#heard?.add(key);
    if (missed.size > 0) this.#missed.set(key, missed);
    else this.#missed.delete(key);
    if (isNodeAgent) this.#bears(key, agentId);
    const served = isNodeAgent ? (this.#owned?.servedBy(agentId) ?? []) : [];
    const concerned = new Set([spiffeId, ...missed, ...before, ...served]);
    const names = isNodeAgent ? [key, nodeAgentName(agentId)] : [key];
    const changed = [...concerned].flatMap((each) => this.#news(each, names));
    this.#settle();
    return changed;
  }

  /** Whether an agent is silent that may be in this pod. @param pod undefined: in any, or none */
  isSilent(identity: string, pod: string | undefined): boolean {
    if (this.#isSettled) return false;
    if (this.#mayBeMore) return true;
    if (this.#owned !== undefined) return this.#owned.isSilent(identity, pod);
    return this.#heard !== undefined || this.#isMissed(identity);
  }

  isPodSilent(identity: string, pod: string): boolean {
    return !this.#isSettled && this.#owned?.isPodSilent(identity, pod) === true;
  }

  /** Pods of an identity's agents that are silent. */
  silentPods(identity: string): readonly string[] {
    return this.#isSettled ? [] : (this.#owned?.silentPods(identity) ?? []);
  }

  /** The only agent of an identity that may be in this pod; undefined where there may be more. @param pod as of `isSilent` */
  onlyOwner(identity: string, pod: string | undefined): string | undefined {
    if (this.#mayBeMore || this.#isMissed(identity)) return undefined;
    return this.#owned?.onlyOwner(identity, pod);
  }

  get #isSettled(): boolean {
    return this.#heard === undefined && this.#missed.size === 0;
  }

  #bears(key: string, agentId: string): void {
    if (this.#heard !== undefined) this.#nodes.set(key, agentId);
    this.#owned?.bears(key, agentId);
  }

  #news(identity: string, names: readonly string[]): readonly SilenceNews[] {
    const owned = this.#owned;
    if (owned === undefined) return this.#heard === undefined ? [{ identity, pod: "" }] : [];
    return names.flatMap((each) => {
      const isSilent = this.#isAgentSilent(owned, identity, each);
      const pod = owned.mark(identity, each, isSilent);
      return pod === undefined ? [] : [{ identity, pod }];
    });
  }

  #isAgentSilent(owned: OwnedIdentities, identity: string, agent: string): boolean {
    const keys = [...owned.keysOf(agent)];
    if (keys.some((key) => this.#missed.get(key)?.has(identity) === true)) return true;
    if (!owned.has(identity, agent)) return false;
    return keys.some((key) => this.#heard?.has(key) === false);
  }

  #isMissed(identity: string): boolean {
    return Array.from(this.#missed.values()).some((missed) => missed.has(identity));
  }

  #index(owners: Iterable<LeafOwner>): OwnedIdentities {
    const owned = new OwnedIdentities(owners, this.#dependencies.nodeAgents());
    for (const [key, agentId] of this.#nodes) owned.bears(key, agentId);
    for (const [identity, agents] of owned.identities()) {
      for (const agent of agents) {
        owned.mark(identity, agent, this.#isAgentSilent(owned, identity, agent));
      }
    }
    for (const [key, missed] of this.#missed) {
      const left = [...missed].filter((each) => owned.isOwned(each));
      for (const identity of left) owned.mark(identity, key, true);
      // Their certificates have ended.
      if (left.length === 0) this.#missed.delete(key);
    }
    return owned;
  }

  #settle(): void {
    if (this.#owned === undefined || this.#mayBeMore || this.#owned.silentCount > 0) return;
    this.#heard = undefined;
    this.#nodes.clear();
    if (this.#isSettled) this.#owned = undefined;
  }
}

const nobody: ReadonlySet<string> = new Set();
