/** Who has unexpired certificates, by identity, as the log was read last; and which of them are silent. */

import {
  agentKey,
  isNodeAgentName,
  nodeAgentName,
  type LeafOwner,
} from "../../../core/roll/leaf-owners.ts";

interface Owned {
  /** As the log names them, each with its identity where that is its own, and with its pod. */
  readonly agents: Map<string, string>;
  /** By pod. */
  readonly inPod: Map<string, Set<string>>;
  /** By pod. */
  readonly silent: Map<string, Set<string>>;
}

/** Of whom it is not known. */
const anyPod = "";

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
    for (const { identity, agent, isRest, pod = anyPod } of owners) {
      // Whoever has no agent of ours has no Envoy of ours.
      if (agent === "" && !isRest) continue;
      const isNode = isNodeAgentName(agent);
      const name = isRest ? rest : isNode ? agent : agentKey(identity, agent);
      // A node agent's are many pods.
      this.#add(identity, name, isNode ? anyPod : pod);
      if (isNode) this.#serve(agent, identity);
      else if (nodeAgents.has(identity)) this.bears(agentKey(identity, agent), agent);
    }
  }

  get silentCount(): number {
    return this.#silentCount;
  }

  *identities(): Generator<[string, Iterable<string>]> {
    for (const [identity, { agents }] of this.#owned) yield [identity, agents.keys()];
  }

  has(identity: string, agent: string): boolean {
    return this.#owned.get(identity)?.agents.has(agent) === true;
  }

  isOwned(identity: string): boolean {
    return this.#owned.has(identity);
  }

  /** The only one of an identity that may have a proxy in this pod; undefined for none, and for more. @param pod undefined: in any */
  onlyOwner(identity: string, pod: string | undefined): string | undefined {
    const owned = this.#owned.get(identity);
    const all =
      owned === undefined ? [] : pod === undefined ? [owned.agents] : mayBeIn(owned.inPod, pod);
    const count = all.reduce((sum, { size }) => sum + size, 0);
    return count === 1 ? all.flatMap((each) => [...each.keys()])[0] : undefined;
  }

  servedBy(agentId: string): readonly string[] {
    return this.#served.get(nodeAgentName(agentId)) ?? [];
  }

  /** @param pod undefined: in any */
  isSilent(identity: string, pod: string | undefined): boolean {
    const silent = this.#owned.get(identity)?.silent;
    if (silent === undefined) return false;
    return pod === undefined ? silent.size > 0 : silent.has(pod) || silent.has(anyPod);
  }

  isPodSilent(identity: string, pod: string): boolean {
    return pod !== anyPod && this.#owned.get(identity)?.silent.has(pod) === true;
  }

  /** Pods of agents that are silent. */
  silentPods(identity: string): readonly string[] {
    const pods = this.#owned.get(identity)?.silent.keys() ?? [];
    return [...pods].filter((pod) => pod !== anyPod);
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

  /** @returns the pod in which somebody is silent now and nobody was, or the reverse; "" for any; undefined for none */
  mark(identity: string, agent: string, isSilent: boolean): string | undefined {
    const owned = this.#owned.get(identity);
    if (owned === undefined) return undefined;
    const pod = owned.agents.get(agent) ?? anyPod;
    const were = owned.silent.size;
    const wasSilent = owned.silent.has(pod);
    if (isSilent) addTo(owned.silent, pod, agent);
    else removeFrom(owned.silent, pod, agent);
    this.#silentCount += Math.sign(owned.silent.size) - Math.sign(were);
    return owned.silent.has(pod) === wasSilent ? undefined : pod;
  }

  #add(identity: string, name: string, pod: string): void {
    const owned = this.#owned.get(identity) ?? {
      agents: new Map(),
      inPod: new Map(),
      silent: new Map(),
    };
    this.#owned.set(identity, owned);
    // A node agent's name comes more than once.
    const before = owned.agents.get(name) ?? pod;
    removeFrom(owned.inPod, before, name);
    const its = before === pod ? pod : anyPod;
    owned.agents.set(name, its);
    addTo(owned.inPod, its, name);
  }

  #serve(agent: string, identity: string): void {
    const identities = this.#served.get(agent) ?? [];
    this.#served.set(agent, identities);
    identities.push(identity);
  }
}

type Agents = Map<string, Set<string>>;

function mayBeIn(agents: Agents, pod: string): readonly ReadonlySet<string>[] {
  return [agents.get(anyPod), agents.get(pod)].filter((each) => each !== undefined);
}

function addTo(agents: Agents, pod: string, agent: string): void {
  agents.set(pod, (agents.get(pod) ?? new Set()).add(agent));
}

function removeFrom(agents: Agents, pod: string, agent: string): void {
  const left = agents.get(pod);
  left?.delete(agent);
  if (left?.size === 0) agents.delete(pod);
}
