/** Who has unexpired certificates, by identity, as the log was read last; and which of them are silent. */

import {
  agentKey,
  isNodeAgentName,
  nodeAgentName,
  type LeafOwner,
} from "../../../core/roll/leaf-owners.ts";

interface Owned {
  /** As the log names them, each with its identity where that is its own. */
  readonly agents: Set<string>;
  readonly silent: Set<string>;
}

/** Too many to be told apart: no agent is called so. */
const rest = "\n";

export class OwnedIdentities {
  readonly #owned = new Map<string, Owned>();
  /** By name of a node agent: identities. */
  readonly #served = new Map<string, string[]>();
  /** By name of a node agent: keys of all that may be meant. */
  readonly #bearers = new Map<string, Set<string>>();
  /** Of how many identities an agent is silent. */
  #silentCount = 0;

  /** @param nodeAgents identities of node agents */
  constructor(owners: Iterable<LeafOwner>, nodeAgents: ReadonlySet<string>) {
    for (const { identity, agent, isRest } of owners) {
      // Whoever has no agent of ours has no Envoy of ours.
      if (agent === "" && !isRest) continue;
      const isNode = isNodeAgentName(agent);
      this.#add(identity, isRest ? rest : isNode ? agent : agentKey(identity, agent));
      if (isNode) this.#serve(agent, identity);
      else if (nodeAgents.has(identity)) this.bears(agentKey(identity, agent), agent);
    }
  }

  get silentCount(): number {
    return this.#silentCount;
  }

  *identities(): Generator<[string, ReadonlySet<string>]> {
    for (const [identity, { agents }] of this.#owned) yield [identity, agents];
  }

  agentsOf(identity: string): ReadonlySet<string> | undefined {
    return this.#owned.get(identity)?.agents;
  }

  servedBy(agentId: string): readonly string[] {
    return this.#served.get(nodeAgentName(agentId)) ?? [];
  }

  isSilent(identity: string): boolean {
    return (this.#owned.get(identity)?.silent.size ?? 0) > 0;
  }

  /** A node agent of this id: the log names no more of it, and several may have one. */
  bears(key: string, agentId: string): void {
    const name = nodeAgentName(agentId);
    this.#bearers.set(name, (this.#bearers.get(name) ?? new Set()).add(key));
  }

  /** Of all whom the log may mean by a name: each of them has to be heard. */
  keysOf(name: string): Iterable<string> {
    return this.#bearers.get(name) ?? [name];
  }

  /** @returns whether the identity is silent now and was not, or the reverse */
  mark(identity: string, agent: string, isSilent: boolean): boolean {
    const owned = this.#owned.get(identity);
    if (owned === undefined) return false;
    const before = owned.silent.size;
    if (isSilent) owned.silent.add(agent);
    else owned.silent.delete(agent);
    const change = Math.sign(owned.silent.size) - Math.sign(before);
    this.#silentCount += change;
    return change !== 0;
  }

  #add(identity: string, name: string): void {
    const owned = this.#owned.get(identity) ?? { agents: new Set(), silent: new Set() };
    this.#owned.set(identity, owned);
    owned.agents.add(name);
  }

  #serve(agent: string, identity: string): void {
    const identities = this.#served.get(agent) ?? [];
    this.#served.set(agent, identities);
    identities.push(identity);
  }
}
