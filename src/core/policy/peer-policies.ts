/**
 * All PeerAuthentications, as a decision looks for them: those of a scope, the oldest first. A change costs what its own namespace
 * has, not what the mesh has.
 */

import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { compareAge, nameKey, type ResourceName } from "../resources/resource.ts";
import { pairsOf, selects, type Labelled } from "./labels.ts";
import { MultiMap } from "./multi-map.ts";

export class PeerPolicies {
  rootNamespace: string;
  readonly #byName = new Map<string, PeerAuthentication>();
  /** Without a selector; by namespace. */
  readonly #wide = new MultiMap<string, PeerAuthentication>();
  /** By one of its labels: a workload with many neighbours asks for its own labels only. */
  readonly #selecting = new MultiMap<string, PeerAuthentication>();

  constructor(rootNamespace: string, policies: Iterable<PeerAuthentication> = []) {
    this.rootNamespace = rootNamespace;
    for (const policy of policies) this.set(policy);
  }

  /** @returns the one in whose place it is */
  set(policy: PeerAuthentication): PeerAuthentication | undefined {
    const old = this.delete(policy.ref);
    this.#byName.set(nameKey(policy.ref), policy);
    const label = labelOf(policy);
    if (label === undefined) this.#wide.add(policy.ref.namespace, policy);
    else this.#selecting.add(label, policy);
    return old;
  }

  /** @returns the one that there was */
  delete(ref: ResourceName): PeerAuthentication | undefined {
    const policy = this.#byName.get(nameKey(ref));
    if (policy === undefined) return undefined;
    this.#byName.delete(nameKey(ref));
    const label = labelOf(policy);
    if (label === undefined) this.#wide.delete(ref.namespace, policy);
    else this.#selecting.delete(label, policy);
    return policy;
  }

  /** Of all in a namespace, the oldest first. */
  wide(namespace: string): readonly PeerAuthentication[] {
    return Array.from(this.#wide.of(namespace)).toSorted(compareAge);
  }

  /** Those that select it, the oldest first: also in the root namespace, where no selector counts. */
  selecting(target: Labelled): readonly PeerAuthentication[] {
    const found: PeerAuthentication[] = [];
    for (const pair of pairsOf(target)) {
      for (const policy of this.#selecting.of(pair)) {
        if (selects(policy.selector, target.labels)) found.push(policy);
      }
    }
    return found.toSorted(compareAge);
  }
}

/** Any would do: a workload that is selected has it. */
function labelOf({ ref, selector }: PeerAuthentication): string | undefined {
  return pairsOf({ namespace: ref.namespace, labels: selector })[0];
}
