/**
 * What each proxy is to do, kept up to date by what changes: a policy of one workload costs that workload and those who call it, whatever
 * the size of the mesh.
 */

import type { PolicyObject } from "../resources/policy-object.ts";
import { nameKey, type ResourceRef } from "../resources/resource.ts";
import type { WorkloadEntry } from "../resources/workload-entry.ts";
import { heldDecision, Holds, type Hold } from "./holds.ts";
import { labelledOf, namedOf, nameOf, policyOf, type IndexedProxy } from "./indexed-proxy.ts";
import { MultiMap } from "./multi-map.ts";
import { policyBecause } from "./policy-because.ts";
import { PolicyGraph } from "./policy-graph.ts";
import { PolicyState } from "./policy-state.ts";
import { portModes } from "./port-modes.ts";
import type { ProxyIdentity } from "./proxy-identity.ts";
import { emptyPolicy, type PortModes, type ProxyPolicy } from "./proxy-policy.ts";
import { sameValue } from "./same-value.ts";
import { serverMode, type ServerDecision } from "./server-mode.ts";
import type { WorkloadClass } from "./workload-classes.ts";

export class PolicyIndex {
  readonly #state: PolicyState;
  readonly #graph: PolicyGraph;
  readonly #proxies = new Map<string, IndexedProxy>();
  readonly #ofClass = new MultiMap<WorkloadClass, IndexedProxy>();
  /** By namespace and node id, as a WorkloadEntry is named. */
  readonly #named = new MultiMap<string, IndexedProxy>();
  /** To be put together anew. */
  readonly #dirty = new Set<IndexedProxy>();
  /** Put together, and maybe other than what was taken. */
  readonly #decided = new Set<IndexedProxy>();
  #holds = new Holds();
  /** What is held back goes by the rule that makes it strict, too: a class has the same mode by another one. */
  #areHoldsStale = false;

  constructor(trustDomain: string) {
    this.#state = new PolicyState(trustDomain);
    this.#graph = new PolicyGraph(this.#state);
  }

  /** In the place of the one of its name. One that says the same changes nothing. */
  set(object: PolicyObject): void {
    const old = this.#state.of(object.object.ref);
    if (sameValue(old, object)) return;
    this.#change(old, object);
  }

  delete(ref: ResourceRef): void {
    const old = this.#state.of(ref);
    if (old !== undefined) this.#change(old, undefined);
  }

  /** In the place of all that were held back. */
  hold(holds: readonly Hold[]): void {
    this.#markHeld();
    this.#holds = new Holds(holds);
    this.#markHeld();
  }

  /** In the place of the one of its key. */
  addProxy(identity: ProxyIdentity): void {
    const { taken, takenAddress } = this.#proxies.get(identity.key) ?? {};
    const entry = this.#entryOf(identity);
    const of = this.#graph.acquire(labelledOf(identity, entry));
    this.removeProxy(identity.key);
    const proxy = { identity, entry, of, policy: taken ?? emptyPolicy, taken, takenAddress };
    this.#proxies.set(identity.key, proxy);
    this.#ofClass.add(of, proxy);
    this.#named.add(nameOf(identity), proxy);
    this.#dirty.add(proxy);
  }

  removeProxy(key: string): void {
    const proxy = this.#proxies.get(key);
    if (proxy === undefined) return;
    this.#proxies.delete(key);
    this.#named.delete(nameOf(proxy.identity), proxy);
    this.#leave(proxy);
    this.#dirty.delete(proxy);
    this.#decided.delete(proxy);
  }

  /** Of the proxies whose policy or address is another one than when it was last taken; of new ones in any case. */
  takeChanged(): ReadonlyMap<string, ProxyPolicy> {
    this.#decide();
    const changed = new Map<string, ProxyPolicy>();
    for (const proxy of this.#decided) {
      const { taken, policy, entry, takenAddress } = proxy;
      if (taken !== undefined && sameValue(taken, policy)) {
        proxy.policy = taken;
        if (takenAddress === entry?.address) continue;
      }
      proxy.taken = proxy.policy;
      proxy.takenAddress = entry?.address;
      changed.set(proxy.identity.key, proxy.policy);
    }
    this.#decided.clear();
    return changed;
  }

  /** @returns undefined for a proxy that was not added, as all that follow */
  desired(key: string): ProxyPolicy | undefined {
    this.#decide();
    return this.#proxies.get(key)?.policy;
  }

  workloadOf(key: string): ResourceRef | undefined {
    return this.#proxies.get(key)?.entry?.ref;
  }

  /** Of its WorkloadEntry. */
  addressOf(key: string): string | undefined {
    return this.#proxies.get(key)?.entry?.address;
  }

  portDecision(key: string, port: number): ServerDecision | undefined {
    const proxy = this.#proxies.get(key);
    if (proxy === undefined) return undefined;
    const holds = this.#holds.of(namedOf(proxy));
    return heldDecision(serverMode(this.#state.peers, proxy.of, port), holds, port);
  }

  /**
   * Which objects a listener, cluster or load assignment of Envoy's comes from: those that the operator most likely wrote for it first.
   * @returns none for a name that its policy does not have
   */
  because(key: string, resourceName: string): readonly ResourceRef[] {
    this.#decide();
    const proxy = this.#proxies.get(key);
    if (proxy === undefined) return [];
    return policyBecause(this.#state, proxy.of, proxy.entry, resourceName);
  }

  #change(old: PolicyObject | undefined, object: PolicyObject | undefined): void {
    const { config } = this.#state;
    if (object !== undefined) this.#state.set(object);
    else if (old !== undefined) this.#state.delete(old.object.ref);
    this.#graph.change(old, object);
    if (!sameValue(config, this.#state.config)) this.#graph.changeAll();
    if (config !== this.#state.config || (object ?? old)?.kind === "PeerAuthentication") {
      this.#areHoldsStale = true;
    }
    for (const each of [old, object])
      if (each?.kind === "WorkloadEntry") this.#placeRenamed(each.object);
  }

  /** A WorkloadEntry has come, gone or changed: whose it is. */
  #placeRenamed({ ref }: WorkloadEntry): void {
    for (const proxy of this.#named.of(nameKey(ref))) {
      const entry = this.#entryOf(proxy.identity);
      if (entry === proxy.entry) continue;
      const of = this.#graph.acquire(labelledOf(proxy.identity, entry));
      this.#leave(proxy);
      proxy.entry = entry;
      proxy.of = of;
      this.#ofClass.add(of, proxy);
      this.#dirty.add(proxy);
    }
  }

  #leave(proxy: IndexedProxy): void {
    this.#ofClass.delete(proxy.of, proxy);
    this.#graph.release(proxy.of);
  }

  #entryOf({ namespace, nodeId: name, serviceAccount }: ProxyIdentity): WorkloadEntry | undefined {
    const entry = this.#state.services.workload({ namespace, name });
    return entry?.serviceAccount === serviceAccount ? entry : undefined;
  }

  #markHeld(): void {
    if (this.#holds.isEmpty) return;
    for (const proxy of this.#proxies.values()) {
      if (this.#holds.of(namedOf(proxy)).length > 0) this.#dirty.add(proxy);
    }
  }

  #modesOf(proxy: IndexedProxy): PortModes {
    const holds = this.#holds.of(namedOf(proxy));
    return holds.length === 0 ? proxy.of.modes : portModes(this.#state.peers, proxy.of, holds);
  }

  #decide(): void {
    if (this.#areHoldsStale) this.#markHeld();
    this.#areHoldsStale = false;
    for (const each of this.#graph.decide((of) => this.#ofClass.has(of))) {
      for (const proxy of this.#ofClass.of(each)) this.#dirty.add(proxy);
    }
    for (const proxy of this.#dirty) {
      const policy = policyOf(proxy, this.#modesOf(proxy));
      const isThere = proxy.taken !== undefined && proxy.takenAddress === proxy.entry?.address;
      if (isThere && sameValue(policy, proxy.policy)) continue;
      proxy.policy = policy;
      this.#decided.add(proxy);
    }
    this.#dirty.clear();
  }
}
