/**
 * Proxies that the configuration names, that may be running, and of which nothing was heard since the server's start: they may be doing
 * anything, so nothing is narrowed that they may need. A name is a proxy's own word: only the one agent that can have it ends the waiting.
 * Of the pods of a cluster, whoever has had all its certificates in one is that one, and is waited for also when the pod is there no more.
 */

import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey, nodeAgentName } from "../../../core/roll/leaf-owners.ts";
import { nameKey } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import {
  SilentOwners,
  type MissedIdentities,
  type SilentOwnersDependencies,
} from "./silent-owners.ts";

export interface ExpectedProxiesDependencies extends SilentOwnersDependencies {
  readonly trustDomain: string;
  readonly nowMs: () => number;
  readonly provenNowMs: () => number;
}

export interface Expectations {
  readonly come: (proxy: ProxyIdentity) => void;
  readonly went: (key: string) => void;
}

export class ExpectedProxies {
  readonly #dependencies: ExpectedProxiesDependencies;
  readonly #changes: Expectations;
  readonly #silent: SilentOwners;
  /** By identity, then by name: whether it is a pod of the cluster. Any agent may have the name of another one. */
  readonly #entries = new Map<string, Map<string, boolean>>();
  /** By name. */
  readonly #identityOf = new Map<string, string>();
  /** Agents that tell of a proxy, by key: as the log names them. */
  readonly #told = new Map<string, Set<string>>();
  readonly #expected = new Map<string, ProxyIdentity>();
  /** By identity, names of those expected whom the configuration does not name. */
  readonly #unnamed = new Map<string, Set<string>>();

  constructor(dependencies: ExpectedProxiesDependencies, changes: Expectations) {
    this.#dependencies = dependencies;
    this.#changes = changes;
    this.#silent = new SilentOwners(dependencies);
  }

  all(): ReadonlyMap<string, ProxyIdentity> {
    return this.#expected;
  }

  set({ ref, serviceAccount }: WorkloadEntry): void {
    const { trustDomain } = this.#dependencies;
    const id = `spiffe://${trustDomain}/ns/${ref.namespace}/sa/${serviceAccount}`;
    const isPod = ref.standsFor !== undefined;
    const isKnown = this.#identityOf.get(nameKey(ref)) === id;
    if (isKnown && this.#entries.get(id)?.get(ref.name) === isPod) return;
    if (!isKnown) this.delete(ref);
    if (serviceAccount === "") return;
    const entries = this.#entries.get(id) ?? new Map<string, boolean>();
    this.#entries.set(id, entries.set(ref.name, isPod));
    this.#identityOf.set(nameKey(ref), id);
    this.#decide(id, ref.name);
  }

  delete(ref: WorkloadEntry["ref"]): void {
    const id = this.#identityOf.get(nameKey(ref));
    if (id === undefined) return;
    this.#identityOf.delete(nameKey(ref));
    const entries = this.#entries.get(id);
    entries?.delete(ref.name);
    if (entries?.size !== 0) return this.#decide(id, ref.name);
    this.#entries.delete(id);
    this.#decide(id, ref.name);
    this.#decideUnnamed(id);
  }

  /** What is told of it counts. */
  told(spiffeId: string, nodeId: string, reporter: Reporter): void {
    const agent = ownerName(spiffeId, reporter);
    const key = keyOf(spiffeId, nodeId);
    const agents = this.#told.get(key) ?? new Set();
    this.#told.set(key, agents.add(agent));
    this.#decide(spiffeId, nodeId);
  }

  /** It does not come back. */
  left(spiffeId: string, nodeId: string, reporter: Reporter): void {
    const agent = ownerName(spiffeId, reporter);
    const key = keyOf(spiffeId, nodeId);
    const agents = this.#told.get(key);
    agents?.delete(agent);
    if (agents?.size === 0) this.#told.delete(key);
    this.#decide(spiffeId, nodeId);
  }

  /** It has told all its proxies but those, or has none of ours. */
  heard(reporter: Reporter, isNodeAgent: boolean, missed: MissedIdentities): void {
    for (const { identity, pod } of this.#silent.heard(reporter, isNodeAgent, missed)) {
      const entries = this.#entries.get(identity);
      const isOne = entries?.has(pod) === true && ![...entries.values()].includes(false);
      if (isOne) this.#decide(identity, pod);
      else this.#decideAll(identity);
    }
  }

  /** Whoever has a certificate no more is waited for no more. */
  look(): void {
    const { nowMs, provenNowMs } = this.#dependencies;
    // The log is not read for nobody.
    if (this.#identityOf.size === 0) return;
    if (!this.#silent.read(this.#expected.size > 0, nowMs(), provenNowMs())) return;
    for (const id of this.#entries.keys()) this.#decideAll(id);
  }

  #decideAll(id: string): void {
    for (const name of this.#entries.get(id)?.keys() ?? []) this.#decide(id, name);
    for (const pod of this.#silent.silentPods(id)) this.#decide(id, pod);
    this.#decideUnnamed(id);
  }

  #decideUnnamed(id: string): void {
    for (const name of this.#unnamed.get(id) ?? []) this.#decide(id, name);
  }

  #decide(id: string, name: string): void {
    const key = keyOf(id, name);
    const entries = this.#entries.get(id);
    const isNamed = entries?.has(name) === true;
    const isThere = isNamed || this.#wasPod(id, name);
    const pod = entries?.get(name) === false ? undefined : name;
    const isExpected = isThere && this.#isAwaited(id, name, pod);
    this.#setUnnamed(id, name, isExpected && !isNamed);
    if (isExpected === this.#expected.has(key)) return;
    if (isExpected) {
      const proxy = identityOf(id, name);
      this.#expected.set(key, proxy);
      this.#changes.come(proxy);
    } else {
      this.#expected.delete(key);
      this.#changes.went(key);
    }
  }

  /** One of the cluster, and there no more. */
  #wasPod(id: string, name: string): boolean {
    if (!this.#silent.isPodSilent(id, name)) return false;
    return [...(this.#entries.get(id)?.values() ?? [])].includes(true);
  }

  #isAwaited(id: string, name: string, pod: string | undefined): boolean {
    if (!this.#silent.isSilent(id, pod)) return false;
    const only = this.#silent.onlyOwner(id, pod);
    return only === undefined || this.#told.get(keyOf(id, name))?.has(only) !== true;
  }

  #setUnnamed(id: string, name: string, isUnnamed: boolean): void {
    const names = this.#unnamed.get(id) ?? new Set();
    if (isUnnamed) this.#unnamed.set(id, names.add(name));
    else if (names.delete(name) && names.size === 0) this.#unnamed.delete(id);
  }
}

/** Only a node agent's word counts for another identity. */
function ownerName(identity: string, { spiffeId, agentId }: Reporter): string {
  return identity === spiffeId ? agentKey(spiffeId, agentId) : nodeAgentName(agentId);
}

/** As it would say itself, without labels of its own. */
function identityOf(spiffeId: string, nodeId: string): ProxyIdentity {
  const [, , , , namespace = "", , serviceAccount = ""] = spiffeId.split("/");
  const key = keyOf(spiffeId, nodeId);
  return { key, namespace, serviceAccount, nodeId, claimedLabels: new Map() };
}

function keyOf(spiffeId: string, nodeId: string): string {
  return `${spiffeId} ${nodeId}`;
}
