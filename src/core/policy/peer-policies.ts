/**
 * All PeerAuthentications, as a decision looks for them: those of a scope, the oldest first. A change costs what its own namespace
 * has, not what the mesh has.
 */

import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { compareAge, nameKey, type Labels, type ResourceName } from "../resources/resource.ts";
import { selects, type Labelled } from "./labels.ts";

interface NamespacePolicies {
  /** Without a selector. */
  readonly wide: Map<string, PeerAuthentication>;
  /** By one of its labels, `key=value`: a workload with many neighbours asks for its own labels only. */
  readonly selecting: Map<string, Map<string, PeerAuthentication>>;
}

export class PeerPolicies {
  readonly rootNamespace: string;
  readonly #namespaces = new Map<string, NamespacePolicies>();
  readonly #byName = new Map<string, PeerAuthentication>();

  constructor(rootNamespace: string, policies: Iterable<PeerAuthentication> = []) {
    this.rootNamespace = rootNamespace;
    for (const policy of policies) this.set(policy);
  }

  /** In the place of the one of its name. */
  set(policy: PeerAuthentication): void {
    this.delete(policy.ref);
    const { namespace, name } = policy.ref;
    this.#byName.set(nameKey(policy.ref), policy);
    const of: NamespacePolicies = this.#namespaces.get(namespace) ?? {
      wide: new Map(),
      selecting: new Map(),
    };
    this.#namespaces.set(namespace, of);
    if (policy.selector.size === 0) {
      of.wide.set(name, policy);
      return;
    }
    const label = labelOf(policy.selector);
    const same = of.selecting.get(label) ?? new Map<string, PeerAuthentication>();
    of.selecting.set(label, same.set(name, policy));
  }

  /** @returns the one that there was */
  delete(ref: ResourceName): PeerAuthentication | undefined {
    const policy = this.#byName.get(nameKey(ref));
    const of = this.#namespaces.get(ref.namespace);
    if (policy === undefined || of === undefined) return undefined;
    this.#byName.delete(nameKey(ref));
    of.wide.delete(ref.name);
    const label = labelOf(policy.selector);
    const same = of.selecting.get(label);
    same?.delete(ref.name);
    if (same?.size === 0) of.selecting.delete(label);
    if (of.wide.size === 0 && of.selecting.size === 0) this.#namespaces.delete(ref.namespace);
    return policy;
  }

  /** Of all in a namespace, the oldest first. */
  wide(namespace: string): readonly PeerAuthentication[] {
    return sorted(this.#namespaces.get(namespace)?.wide.values());
  }

  /** Those that select it, the oldest first: also in the root namespace, where no selector counts. */
  selecting({ namespace, labels }: Labelled): readonly PeerAuthentication[] {
    const { selecting } = this.#namespaces.get(namespace) ?? {};
    if (selecting === undefined) return [];
    const found: PeerAuthentication[] = [];
    for (const [key, value] of labels) {
      for (const policy of selecting.get(pair(key, value))?.values() ?? []) {
        if (selects(policy.selector, labels)) found.push(policy);
      }
    }
    return sorted(found);
  }
}

/** Any would do: a workload that is selected has it. */
function labelOf(selector: Labels): string {
  for (const [key, value] of selector) return pair(key, value);
  return "";
}

function pair(key: string, value: string): string {
  return `${key}=${value}`;
}

function sorted(policies: Iterable<PeerAuthentication> = []): readonly PeerAuthentication[] {
  return Array.from(policies).toSorted(compareAge);
}
