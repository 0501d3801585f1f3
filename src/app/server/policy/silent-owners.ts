/**
 * Agents with an unexpired certificate that have not told all their proxies since the server's start. Soft, as the roll is: each has to
 * come, or its certificates have to end. The log's owners are gone through rarely: what agents say meanwhile is kept up to date here.
 */

import type { Reporter } from "../../../core/roll/evidence.ts";
import {
  agentKey,
  isNodeAgentName,
  nodeAgentName,
  type LeafOwner,
} from "../../../core/roll/leaf-owners.ts";
import { endOf, skewMaxMs } from "../../../core/roll/leaf-record.ts";

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

interface Owned {
  readonly agents: Set<string>;
  readonly silent: Set<string>;
}

/** As often as the log's owners are pruned, or oftener. */
const readAgainMs = 30_000;
/** Too many to be told apart: no agent is called so. */
const rest = "\n";

export class SilentOwners {
  readonly #owners: () => OwnersView;
  /** Undefined once everybody was heard: whoever gets a certificate later tells by itself. */
  #heard: Set<string> | undefined = new Set();
  /** By agent: of whom it has told something that is not kept. */
  readonly #missed = new Map<string, ReadonlySet<string>>();
  /** By identity; undefined until the log has been read. */
  #owned: Map<string, Owned> | undefined;
  /** By node agent. */
  #served = new Map<string, string[]>();
  /** Of how many identities an agent is silent. */
  #silentCount = 0;
  /** There was no room for all owners. */
  #mayBeMore = false;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(owners: () => OwnersView) {
    this.#owners = owners;
  }

  get isSettled(): boolean {
    return this.#heard === undefined && this.#missed.size === 0;
  }

  /**
   * Goes through the owners, if that is due.
   * @param isAwaited whether somebody is waited for, and may be no more
   * @returns whether it did: anybody may be silent, or not, since then
   */
  read(isAwaited: boolean, nowMs: number, provenNowMs: number): boolean {
    const isAgain = isAwaited && Math.abs(nowMs - this.#readAtMs) >= readAgainMs;
    if (this.isSettled || (this.#owned !== undefined && !isAgain)) return false;
    const { isBuilt, missedUntilMs = 0, all } = this.#owners();
    if (!isBuilt) return false;
    this.#readAtMs = nowMs;
    this.#mayBeMore = missedUntilMs > 0 && provenNowMs < endOf(missedUntilMs, skewMaxMs);
    this.#index(all());
    this.#settle();
    return true;
  }

  /** It has told all its proxies, or has none of ours. @returns the identities that are silent, or not, because of it */
  heard(
    { spiffeId, agentId }: Reporter,
    isNodeAgent: boolean,
    { unproven, dropped }: MissedIdentities,
  ): readonly string[] {
    const missed = new Set(this.#heard === undefined ? dropped : [...unproven, ...dropped]);
    const own = agentKey(spiffeId, agentId);
    const names = isNodeAgent ? [own, nodeAgentName(agentId)] : [own];
    // Whom it had missed before has come, too.
    const before = names.flatMap((name) => [...(this.#missed.get(name) ?? [])]);
    const news = names.filter((name) => this.#hear(name, missed));
    if (news.length === 0) return [];
    const served = isNodeAgent ? (this.#served.get(nodeAgentName(agentId)) ?? []) : [];
    const changed = [...new Set([spiffeId, ...missed, ...before, ...served])].filter((each) =>
      this.#isNews(each, names),
    );
    this.#settle();
    return changed;
  }

  isSilent(identity: string): boolean {
    if (this.isSettled) return false;
    if (this.#mayBeMore) return true;
    if (this.#owned !== undefined) return (this.#owned.get(identity)?.silent.size ?? 0) > 0;
    const isMissed = Array.from(this.#missed.values()).some((missed) => missed.has(identity));
    return this.#heard !== undefined || isMissed;
  }

  /** The only agent that has certificates of an identity; undefined where there may be more. */
  onlyOwner(identity: string): string | undefined {
    if (this.#mayBeMore) return undefined;
    const { agents = new Set<string>() } = this.#owned?.get(identity) ?? {};
    const [agent] = agents;
    return agents.size === 1 ? agent : undefined;
  }

  #hear(name: string, missed: ReadonlySet<string>): boolean {
    const isFirst = this.#heard?.has(name) === false;
    this.#heard?.add(name);
    const hadMissed = this.#missed.delete(name);
    if (missed.size > 0) this.#missed.set(name, missed);
    return isFirst || missed.size > 0 || hadMissed;
  }

  #isNews(identity: string, names: readonly string[]): boolean {
    const owned = this.#owned?.get(identity);
    if (owned === undefined) return this.#owned === undefined && this.#heard === undefined;
    const before = owned.silent.size;
    for (const name of names) {
      if (!owned.agents.has(name)) continue;
      if (this.#isAgentSilent(identity, name)) owned.silent.add(name);
      else owned.silent.delete(name);
    }
    const { size } = owned.silent;
    if (before > 0 && size === 0) this.#silentCount--;
    if (before === 0 && size > 0) this.#silentCount++;
    return before === 0 || size === 0;
  }

  #isAgentSilent(identity: string, agent: string): boolean {
    if (this.#missed.get(agent)?.has(identity) === true) return true;
    return this.#heard?.has(agent) === false;
  }

  #index(owners: Iterable<LeafOwner>): void {
    const owned = new Map<string, Owned>();
    const served = new Map<string, string[]>();
    const seen = new Set<string>();
    for (const { identity, agent, isRest } of owners) {
      // Whoever has no agent of ours has no Envoy of ours.
      if (agent === "" && !isRest) continue;
      const name = isRest ? rest : isNodeAgentName(agent) ? agent : agentKey(identity, agent);
      const of = owned.get(identity) ?? { agents: new Set(), silent: new Set() };
      owned.set(identity, of);
      of.agents.add(name);
      if (this.#isAgentSilent(identity, name)) of.silent.add(name);
      seen.add(name);
      if (!isNodeAgentName(agent)) continue;
      const identities = served.get(name) ?? [];
      identities.push(identity);
      served.set(name, identities);
    }
    // Its certificates have ended.
    for (const name of this.#missed.keys()) {
      if (!seen.has(name)) this.#missed.delete(name);
    }
    this.#owned = owned;
    this.#served = served;
    this.#silentCount = Array.from(owned.values()).filter(({ silent }) => silent.size > 0).length;
  }

  #settle(): void {
    if (this.#owned === undefined || this.#mayBeMore || this.#silentCount > 0) return;
    this.#heard = undefined;
    if (!this.isSettled) return;
    this.#owned = undefined;
    this.#served.clear();
  }
}
