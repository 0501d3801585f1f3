/** Of which class each endpoint is, and which services a class answers for: what a port takes is decided by class. */

import { nameKey, type Labels } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { WorkloadEntry } from "../resources/workload-entry.ts";
import { MultiMap } from "./multi-map.ts";
import type { PortModes } from "./proxy-policy.ts";
import type { ServiceEndpoint, Services } from "./services.ts";
import type { WorkloadClass } from "./workload-classes.ts";

/** They count who uses them. */
export interface ClassKeeper {
  readonly acquire: (workload: { namespace: string; labels: Labels }) => WorkloadClass;
  readonly release: (of: WorkloadClass) => void;
}

export class EndpointClasses {
  readonly #services: Services;
  readonly #keeper: ClassKeeper;
  readonly #ofWorkload = new Map<string, WorkloadClass>();
  /** Of endpoints that are written into the service. */
  readonly #ofService = new Map<string, ReadonlyMap<Labels, WorkloadClass>>();
  readonly #written = new MultiMap<WorkloadClass, ServiceEntry>();

  constructor(services: Services, keeper: ClassKeeper) {
    this.#services = services;
    this.#keeper = keeper;
  }

  setWorkload(entry: WorkloadEntry): void {
    const { labels, ref } = entry;
    const of = this.#keeper.acquire({ namespace: ref.namespace, labels });
    this.deleteWorkload(entry);
    this.#ofWorkload.set(nameKey(ref), of);
  }

  deleteWorkload({ ref }: WorkloadEntry): void {
    const of = this.#ofWorkload.get(nameKey(ref));
    this.#ofWorkload.delete(nameKey(ref));
    if (of !== undefined) this.#keeper.release(of);
  }

  setService(entry: ServiceEntry): void {
    const { namespace } = entry.ref;
    const classes = new Map<Labels, WorkloadClass>();
    for (const host of entry.hosts) {
      for (const { ref, endpoint } of this.#services.reached(entry, host)) {
        if (ref !== undefined || classes.has(endpoint.labels)) continue;
        classes.set(endpoint.labels, this.#keeper.acquire({ namespace, labels: endpoint.labels }));
      }
    }
    if (classes.size === 0) return;
    this.#ofService.set(nameKey(entry.ref), classes);
    for (const each of classes.values()) this.#written.add(each, entry);
  }

  deleteService(entry: ServiceEntry): void {
    const classes = this.#ofService.get(nameKey(entry.ref));
    this.#ofService.delete(nameKey(entry.ref));
    for (const each of classes?.values() ?? []) {
      this.#written.delete(each, entry);
      this.#keeper.release(each);
    }
  }

  /** @throws RangeError for one that no service was set with */
  modesOf(service: ServiceEntry, { ref, endpoint }: ServiceEndpoint): PortModes {
    const of =
      ref === undefined
        ? this.#ofService.get(nameKey(service.ref))?.get(endpoint.labels)
        : this.#ofWorkload.get(nameKey(ref));
    if (of === undefined) throw new RangeError("expected an endpoint of the mesh, got another one");
    return of.modes;
  }

  /** Those of which one of the class is an endpoint, and maybe others. */
  servicesOf(of: WorkloadClass): readonly ServiceEntry[] {
    return [...this.#services.selecting(of), ...this.#written.of(of)];
  }
}
