/** All views, with the classes of clients that have them, and where a new service would be seen. */

import type { ServiceEntry } from "../resources/service-entry.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import type { ClusterNodes } from "./cluster-nodes.ts";
import { placesOf } from "./egress-services.ts";
import type { Labelled } from "./labels.ts";
import { MultiMap } from "./multi-map.ts";
import { egressOf } from "./outbound-plan.ts";
import { OutboundView } from "./outbound-view.ts";
import type { WorkloadClass } from "./workload-classes.ts";

export class OutboundViews {
  readonly #nodes: ClusterNodes<OutboundView>;
  readonly #byKey = new Map<string, OutboundView>();
  readonly #classes = new MultiMap<OutboundView, WorkloadClass>();
  readonly #places = new MultiMap<string, OutboundView>();

  constructor(nodes: ClusterNodes<OutboundView>) {
    this.#nodes = nodes;
  }

  all(): Iterable<OutboundView> {
    return this.#byKey.values();
  }

  classesOf(view: OutboundView): Iterable<WorkloadClass> {
    return this.#classes.of(view);
  }

  /** Any of those whose view it is: no rule tells them apart. */
  clientOf(view: OutboundView): Labelled | undefined {
    for (const each of this.#classes.of(view)) return each;
    return undefined;
  }

  /** Those that select one of the service's hosts, as far as it is exported to them. */
  selecting(service: ServiceEntry): ReadonlySet<OutboundView> {
    const found = new Set<OutboundView>();
    for (const place of placesOf(service)) {
      for (const view of this.#places.of(place)) if (view.selects(service)) found.add(view);
    }
    return found;
  }

  /**
   * After its Sidecar or a rule that selects clients has changed.
   * @returns a view that nobody had before
   */
  join(
    of: WorkloadClass,
    sidecar: Sidecar | undefined,
    selection: string,
  ): OutboundView | undefined {
    if (of.sidecar === sidecar && of.view?.selection === selection) return undefined;
    of.sidecar = sidecar;
    if (sidecar === undefined) {
      this.leave(of);
      return undefined;
    }
    const egress = egressOf(sidecar, of.namespace);
    const key = JSON.stringify([egress, selection]);
    const there = this.#byKey.get(key);
    if (there !== undefined && there === of.view) return undefined;
    const view = there ?? new OutboundView(key, egress, selection);
    this.leave(of);
    of.view = view;
    this.#classes.add(view, of);
    if (there !== undefined) return undefined;
    this.#byKey.set(key, view);
    for (const place of view.places()) this.#places.add(place, view);
    return view;
  }

  /** What nobody has any more is forgotten. */
  leave(of: WorkloadClass): void {
    const { view } = of;
    if (view === undefined) return;
    of.view = undefined;
    this.#classes.delete(view, of);
    if (this.clientOf(view) !== undefined) return;
    this.#byKey.delete(view.key);
    for (const place of view.places()) this.#places.delete(place, view);
    view.leave(this.#nodes);
  }
}
