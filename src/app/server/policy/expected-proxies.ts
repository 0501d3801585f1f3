/**
 * Proxies that the configuration names, that may be running, and of which nothing was heard since the server's start: they may be doing
 * anything, so nothing is narrowed that they may need. A name is a proxy's own word: only the one agent that can have it ends the waiting.
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
  /** By identity, then by key. */
  readonly #entries = new Map<string, Map<string, ProxyIdentity>>();
  /** By name. */
  readonly #identityOf = new Map<string, string>();
  /** Agents that tell of a proxy, by key: as the log names them. */
  readonly #told = new Map<string, Set<string>>();
  readonly #expected = new Map<string, ProxyIdentity>();

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
    if (this.#identityOf.get(nameKey(ref)) === id) return;
    this.delete(ref);
    if (serviceAccount === "") return;
    const key = keyOf(id, ref.name);
    const { namespace, name: nodeId } = ref;
    const entries = this.#entries.get(id) ?? new Map<string, ProxyIdentity>();
    this.#entries.set(id, entries);
    entries.set(key, { key, namespace, serviceAccount, nodeId, claimedLabels: new Map() });
    this.#identityOf.set(nameKey(ref), id);
    this.#decide(id, key);
  }

  delete(ref: WorkloadEntry["ref"]): void {
    const id = this.#identityOf.get(nameKey(ref));
    if (id === undefined) return;
    const key = keyOf(id, ref.name);
    this.#identityOf.delete(nameKey(ref));
    const entries = this.#entries.get(id);
    entries?.delete(key);
    if (entries?.size === 0) this.#entries.delete(id);
    this.#decide(id, key);
  }

  /** What is told of it counts. */
  told(spiffeId: string, nodeId: string, reporter: Reporter): void {
    const agent = ownerName(spiffeId, reporter);
    const key = keyOf(spiffeId, nodeId);
    const agents = this.#told.get(key) ?? new Set();
    this.#told.set(key, agents.add(agent));
    this.#decide(spiffeId, key);
  }

  /** It does not come back. */
  left(spiffeId: string, nodeId: string, reporter: Reporter): void {
    const agent = ownerName(spiffeId, reporter);
    const key = keyOf(spiffeId, nodeId);
    const agents = this.#told.get(key);
    agents?.delete(agent);
    if (agents?.size === 0) this.#told.delete(key);
    this.#decide(spiffeId, key);
  }

  /** It has told all its proxies but those, or has none of ours. */
  heard(reporter: Reporter, isNodeAgent: boolean, missed: MissedIdentities): void {
    for (const id of this.#silent.heard(reporter, isNodeAgent, missed)) this.#decideAll(id);
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
    for (const key of this.#entries.get(id)?.keys() ?? []) this.#decide(id, key);
  }

  #decide(id: string, key: string): void {
    const proxy = this.#entries.get(id)?.get(key);
    const isExpected = proxy !== undefined && this.#isAwaited(id, key);
    if (isExpected === this.#expected.has(key)) return;
    if (isExpected) {
      this.#expected.set(key, proxy);
      this.#changes.come(proxy);
    } else {
      this.#expected.delete(key);
      this.#changes.went(key);
    }
  }

  #isAwaited(id: string, key: string): boolean {
    if (!this.#silent.isSilent(id)) return false;
    const only = this.#silent.onlyOwner(id);
    return only === undefined || this.#told.get(key)?.has(only) !== true;
  }
}

/** Only a node agent's word counts for another identity. */
function ownerName(identity: string, { spiffeId, agentId }: Reporter): string {
  return identity === spiffeId ? agentKey(spiffeId, agentId) : nodeAgentName(agentId);
}

function keyOf(spiffeId: string, nodeId: string): string {
  return `${spiffeId} ${nodeId}`;
}
