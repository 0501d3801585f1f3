/**
 * What is to be decided anew. An object that comes, goes or changes marks what it could have an effect on, and nothing is decided before
 * somebody asks: many changes at once are one.
 */

import type { DestinationRule } from "../resources/destination-rule.ts";
import type { PolicyObject } from "../resources/policy-object.ts";
import { nameKey, type Labels } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { WorkloadEntry } from "../resources/workload-entry.ts";
import { matchesHost } from "./explain-egress.ts";
import { isExportedTo } from "./export-to.ts";
import type { OutboundView } from "./outbound-view.ts";
import type { PolicyParts } from "./policy-parts.ts";
import type { WorkloadClass } from "./workload-classes.ts";

export class PolicyMarks {
  readonly #parts: PolicyParts;
  /** What their ports take. */
  readonly modes: Set<WorkloadClass> = new Set();
  /** Which Sidecar they have, and whom they see. */
  readonly clients: Set<WorkloadClass> = new Set();
  /** Their clusters; by name. */
  readonly services: Set<string> = new Set();
  /** All of what they see. */
  readonly plans: Set<OutboundView> = new Set();
  /** Hosts for which a rule has changed. */
  readonly hosts: Map<OutboundView, Set<string>> = new Map();

  constructor(parts: PolicyParts) {
    this.#parts = parts;
  }

  /** @param object that is in the state now, or about to leave it */
  mark({ kind, object }: PolicyObject): void {
    const { namespace } = object.ref;
    switch (kind) {
      case "PeerAuthentication":
        return addAll(this.modes, this.#selected(namespace, object.selector));
      case "Sidecar":
        return addAll(this.clients, this.#selected(namespace, object.workloadSelector));
      case "DestinationRule":
        return this.#markRule(object);
      case "ServiceEntry":
        return this.#markService(object);
      case "WorkloadEntry":
        return this.#markWorkload(object);
      case "MeshConfig":
        return undefined;
      default:
        return kind satisfies never;
    }
  }

  /** Another MeshConfig counts. */
  markAll(): void {
    const { classes, state, views } = this.#parts;
    addAll(this.modes, classes.all());
    addAll(this.clients, classes.all());
    addAll(this.plans, views.all());
    for (const { ref } of state.services.all()) this.services.add(nameKey(ref));
  }

  clear(): void {
    for (const all of [this.modes, this.clients, this.services, this.plans, this.hosts])
      all.clear();
  }

  /** Without a selector all of the namespace, or of the mesh. */
  #selected(namespace: string, selector: Labels): Iterable<WorkloadClass> {
    const { classes, state } = this.#parts;
    const isMesh = selector.size === 0 && namespace === state.config.rootNamespace;
    return isMesh ? classes.all() : classes.selected(namespace, selector);
  }

  #markService(service: ServiceEntry): void {
    this.services.add(nameKey(service.ref));
    addAll(this.plans, this.#parts.views.selecting(service));
  }

  #markWorkload({ labels, ref }: WorkloadEntry): void {
    const { services } = this.#parts.state;
    for (const each of services.selecting({ namespace: ref.namespace, labels })) {
      this.services.add(nameKey(each.ref));
    }
  }

  /** Those who call its host, as far as the rule can count for them. */
  #markRule(rule: DestinationRule): void {
    const { state, nodes } = this.#parts;
    const { ref, host, workloadSelector } = rule;
    if (workloadSelector.size > 0) {
      addAll(this.clients, this.#selected(ref.namespace, workloadSelector));
    }
    const isWildcard = host.startsWith("*");
    const isMesh = ref.namespace === state.config.rootNamespace;
    for (const service of isWildcard ? state.services.all() : state.services.withHost(host)) {
      const isOfService = isMesh || service.ref.namespace === ref.namespace;
      for (const node of nodes.ofService(nameKey(service.ref))) {
        if (!matchesHost(host, node.host)) continue;
        for (const view of node.views) {
          const { namespace } = view.egress;
          if (!isOfService && namespace !== ref.namespace) continue;
          if (isExportedTo(rule, namespace)) this.#markHost(view, node.host);
        }
      }
    }
  }

  #markHost(view: OutboundView, host: string): void {
    const hosts = this.hosts.get(view);
    if (hosts === undefined) this.hosts.set(view, new Set([host]));
    else hosts.add(host);
  }
}

function addAll<Item>(to: Set<Item>, items: Iterable<Item>): void {
  for (const each of items) to.add(each);
}
