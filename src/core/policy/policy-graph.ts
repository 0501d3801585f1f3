/**
 * From what has changed to whom it changes: workloads of a class, then the clusters that have them as endpoints, then those who see these
 * clusters. What is decided as before ends there.
 */

import type { PolicyObject } from "../resources/policy-object.ts";
import { nameKey } from "../resources/resource.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import type { Labelled } from "./labels.ts";
import type { CalledPort } from "./outbound-cluster.ts";
import type { OutboundView } from "./outbound-view.ts";
import { PolicyMarks } from "./policy-marks.ts";
import { PolicyParts } from "./policy-parts.ts";
import type { PolicyState } from "./policy-state.ts";
import { portModes } from "./port-modes.ts";
import { sameValue } from "./same-value.ts";
import type { WorkloadClass } from "./workload-classes.ts";

export class PolicyGraph {
  readonly #parts: PolicyParts;
  readonly #marks: PolicyMarks;

  constructor(state: PolicyState) {
    this.#parts = new PolicyParts(state);
    this.#marks = new PolicyMarks(this.#parts);
  }

  /** For a proxy more. */
  acquire(workload: Labelled): WorkloadClass {
    const of = this.#parts.classes.acquire(workload);
    this.#marks.clients.add(of);
    return of;
  }

  release(of: WorkloadClass): void {
    this.#parts.release(of);
    this.#marks.clients.add(of);
  }

  /** One has come in the place of the other, in the state too. */
  change(old: PolicyObject | undefined, object: PolicyObject | undefined): void {
    const { endpoints } = this.#parts;
    // First the new one: a class that both have stays.
    if (object?.kind === "WorkloadEntry") endpoints.setWorkload(object.object);
    else if (old?.kind === "WorkloadEntry") endpoints.deleteWorkload(old.object);
    if (old?.kind === "ServiceEntry") endpoints.deleteService(old.object);
    if (object?.kind === "ServiceEntry") endpoints.setService(object.object);
    for (const each of [old, object]) if (each !== undefined) this.#marks.mark(each);
  }

  /** Another MeshConfig counts. */
  changeAll(): void {
    this.#marks.markAll();
  }

  /** @returns the classes whose proxies are to do something else, or may */
  decide(hasProxies: (of: WorkloadClass) => boolean): ReadonlySet<WorkloadClass> {
    const changed = new Set<WorkloadClass>();
    for (const each of this.#marks.modes) if (this.#decideModes(each)) changed.add(each);
    for (const each of this.#marks.clients) {
      if (this.#decideClient(each, hasProxies(each))) changed.add(each);
    }
    const views = this.#decideServices();
    for (const view of this.#marks.plans) views.add(view);
    for (const view of this.#marks.hosts.keys()) views.add(view);
    for (const view of views) {
      if (!this.#decideView(view)) continue;
      for (const each of this.#parts.views.classesOf(view)) changed.add(each);
    }
    this.#marks.clear();
    return changed;
  }

  #decideModes(of: WorkloadClass): boolean {
    const { state, endpoints } = this.#parts;
    const modes = portModes(state.peers, of);
    if (sameValue(modes, of.modes)) return false;
    of.modes = modes;
    for (const { ref } of endpoints.servicesOf(of)) this.#marks.services.add(nameKey(ref));
    return true;
  }

  #decideClient(of: WorkloadClass, hasProxies: boolean): boolean {
    const { sidecar, view } = of;
    const { state, views } = this.#parts;
    const own = hasProxies ? state.sidecars.ofWorkload(of) : undefined;
    const made = views.join(of, own, state.rules.selectionKey(of));
    if (made !== undefined) this.#marks.plans.add(made);
    return of.sidecar !== sidecar || of.view !== view;
  }

  /** @returns those who have a cluster that is another one now */
  #decideServices(): Set<OutboundView> {
    const views = new Set<OutboundView>();
    for (const name of this.#marks.services) {
      for (const node of this.#parts.nodes.ofService(name)) {
        const called = this.#calledBy(node);
        // What is gone is seen no more: those who had it are planned anew.
        if (called === undefined || !this.#parts.nodes.decide(node, called)) continue;
        for (const view of node.views) views.add(view);
      }
    }
    return views;
  }

  #decideView(view: OutboundView): boolean {
    const { nodes, state, views } = this.#parts;
    const client = views.clientOf(view);
    if (client === undefined) return false;
    const tlsOf = (called: CalledPort) => this.#parts.tlsOf(client, called);
    if (this.#marks.plans.has(view)) return view.plan(state.services, nodes, tlsOf);
    const hosts = this.#marks.hosts.get(view);
    if (hosts !== undefined) view.askRules(hosts, nodes, tlsOf);
    return view.refresh();
  }

  #calledBy({
    service: ref,
    host,
    port: number,
  }: ClusterNode<OutboundView>): CalledPort | undefined {
    const service = this.#parts.state.services.service(ref);
    if (service?.hosts.includes(host) !== true) return undefined;
    const port = service.ports.find((each) => each.number === number);
    return port && { service, port, host };
  }
}
