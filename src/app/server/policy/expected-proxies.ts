/**
 * Proxies that the configuration names, that may be running, and of which nothing was heard since the server's start: they may be doing
 * anything, so nothing is narrowed that they may need. Soft, as the roll is: each has to come, or its certificates have to end.
 */

import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey, nodeAgentName, type LeafOwner } from "../../../core/roll/leaf-owners.ts";
import { nameKey } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";

export interface OwnersView {
  /** Whether all of the log has been read. */
  readonly isBuilt: boolean;
  readonly all: () => Iterable<LeafOwner>;
}

export interface ExpectedProxiesDependencies {
  readonly trustDomain: string;
  /** Who has an unexpired certificate. */
  readonly owners: () => OwnersView;
}

export class ExpectedProxies {
  readonly #dependencies: ExpectedProxiesDependencies;
  /** Agents that have told all of theirs; a node agent by its name in the log. */
  readonly #heard = new Set<string>();

  constructor(dependencies: ExpectedProxiesDependencies) {
    this.#dependencies = dependencies;
  }

  /** It has told all its proxies, or has none of ours. */
  heard({ spiffeId, agentId }: Reporter, isNodeAgent: boolean): void {
    this.#heard.add(isNodeAgent ? nodeAgentName(agentId) : agentKey(spiffeId, agentId));
  }

  /**
   * @param isKnown whether a proxy has told that it is this one
   * @returns whether it is still to be asked again, and who is expected
   */
  look(
    entries: Iterable<WorkloadEntry>,
    isKnown: (name: string) => boolean,
  ): { readonly isSettled: boolean; readonly expected: ReadonlyMap<string, ProxyIdentity> } {
    const { trustDomain, owners } = this.#dependencies;
    const candidates = Array.from(entries).filter(
      ({ ref, serviceAccount }) => serviceAccount !== "" && !isKnown(nameKey(ref)),
    );
    const expected = new Map<string, ProxyIdentity>();
    // The log is not read for nobody.
    if (candidates.length === 0) return { isSettled: false, expected };
    const { isBuilt, all } = owners();
    const silent = isBuilt ? this.#silent(all()) : undefined;
    for (const { ref, serviceAccount } of candidates) {
      const id = `spiffe://${trustDomain}/ns/${ref.namespace}/sa/${serviceAccount}`;
      if (silent?.has(id) === false) continue;
      const key = `${id} ${ref.name}`;
      const { namespace, name: nodeId } = ref;
      expected.set(key, { key, namespace, serviceAccount, nodeId, claimedLabels: new Map() });
    }
    return { isSettled: silent?.size === 0, expected };
  }

  #silent(owners: Iterable<LeafOwner>): ReadonlySet<string> {
    const silent = new Set<string>();
    for (const { identity, agent, isRest } of owners) {
      // Whoever has no agent of ours has no Envoy of ours.
      if (agent === "" && !isRest) continue;
      const isHeard = this.#heard.has(agentKey(identity, agent)) || this.#heard.has(agent);
      if (!isHeard) silent.add(identity);
    }
    return silent;
  }
}
