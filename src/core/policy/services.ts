/** Which hosts there are, for whom, and who answers for them: ServiceEntries, with the WorkloadEntries that they select. */

import { compareAge, nameKey, type ResourceName, type ResourceRef } from "../resources/resource.ts";
import type { ServiceEntry, ServicePort } from "../resources/service-entry.ts";
import type { Endpoint, WorkloadEntry } from "../resources/workload-entry.ts";
import { isExportedTo } from "./export-to.ts";
import { countingFor } from "./host-owners.ts";
import { pairsOf, selects, type Labelled } from "./labels.ts";
import { MultiMap } from "./multi-map.ts";

/** An endpoint, with the namespace that its policies are of. */
export interface ServiceEndpoint {
  readonly namespace: string;
  /** Undefined for one that is written into the ServiceEntry. */
  readonly ref: ResourceRef | undefined;
  readonly endpoint: Endpoint;
}

export class Services {
  readonly #entries = new Map<string, ServiceEntry>();
  /** By host. */
  readonly #hosts = new MultiMap<string, ServiceEntry>();
  readonly #namespaces = new MultiMap<string, ServiceEntry>();
  /** Those that select their endpoints: by one of the labels, which whoever is selected has. */
  readonly #selecting = new MultiMap<string, ServiceEntry>();
  readonly #workloads = new Map<string, WorkloadEntry>();
  /** By each of their labels. */
  readonly #labelled = new MultiMap<string, WorkloadEntry>();

  /** @returns the one in whose place it is */
  setService(entry: ServiceEntry): ServiceEntry | undefined {
    const old = this.deleteService(entry.ref);
    this.#entries.set(nameKey(entry.ref), entry);
    this.#namespaces.add(entry.ref.namespace, entry);
    for (const host of entry.hosts) this.#hosts.add(host, entry);
    const [label] = selectorOf(entry);
    if (label !== undefined) this.#selecting.add(label, entry);
    return old;
  }

  /** @returns the one that there was */
  deleteService(ref: ResourceName): ServiceEntry | undefined {
    const old = this.#entries.get(nameKey(ref));
    if (old === undefined) return undefined;
    this.#entries.delete(nameKey(ref));
    this.#namespaces.delete(ref.namespace, old);
    for (const host of old.hosts) this.#hosts.delete(host, old);
    const [label] = selectorOf(old);
    if (label !== undefined) this.#selecting.delete(label, old);
    return old;
  }

  /** @returns the one in whose place it is */
  setWorkload(entry: WorkloadEntry): WorkloadEntry | undefined {
    const old = this.deleteWorkload(entry.ref);
    this.#workloads.set(nameKey(entry.ref), entry);
    for (const label of labelsOf(entry)) this.#labelled.add(label, entry);
    return old;
  }

  /** @returns the one that there was */
  deleteWorkload(ref: ResourceName): WorkloadEntry | undefined {
    const old = this.#workloads.get(nameKey(ref));
    if (old === undefined) return undefined;
    this.#workloads.delete(nameKey(ref));
    for (const label of labelsOf(old)) this.#labelled.delete(label, old);
    return old;
  }

  service(ref: ResourceName): ServiceEntry | undefined {
    return this.#entries.get(nameKey(ref));
  }

  workload(ref: ResourceName): WorkloadEntry | undefined {
    return this.#workloads.get(nameKey(ref));
  }

  all(): Iterable<ServiceEntry> {
    return this.#entries.values();
  }

  inNamespace(namespace: string): Iterable<ServiceEntry> {
    return this.#namespaces.of(namespace);
  }

  /** Whoever has the host, for whomever. */
  withHost(host: string): Iterable<ServiceEntry> {
    return this.#hosts.of(host);
  }

  /** Those that count for a client that calls a host: its own namespace's first, then the cluster's, then the oldest. */
  seen(host: string, clientNamespace: string): readonly ServiceEntry[] {
    return countingFor(host, clientNamespace, (name) =>
      Array.from(this.withHost(name)).filter((entry) => isExportedTo(entry, clientNamespace)),
    );
  }

  /** Those whose endpoint it is, by its labels. */
  selecting(workload: Labelled): readonly ServiceEntry[] {
    return pairsOf(workload).flatMap((pair) =>
      Array.from(this.#selecting.of(pair)).filter(({ workloadSelector }) =>
        selects(workloadSelector, workload.labels),
      ),
    );
  }

  /** Those that it selects, else those that are written into it. */
  endpointsOf(service: ServiceEntry): readonly ServiceEndpoint[] {
    const { namespace } = service.ref;
    const { workloadSelector, endpoints } = service;
    const [label] = selectorOf(service);
    if (label === undefined) {
      return endpoints.map((endpoint) => ({ namespace, ref: undefined, endpoint }));
    }
    return Array.from(this.#labelled.of(label))
      .filter(({ labels }) => selects(workloadSelector, labels))
      .toSorted(compareAge)
      .map((entry) => ({ namespace, ref: entry.ref, endpoint: entry }));
  }

  /** As clients of one of its hosts reach them: where it names nobody, that is whoever DNS says. */
  reached(service: ServiceEntry, host: string): readonly ServiceEndpoint[] {
    const { ref, resolution, workloadSelector, endpoints } = service;
    const isNamed = workloadSelector.size > 0 || endpoints.length > 0;
    if (resolution === "STATIC" || (resolution !== "NONE" && isNamed)) {
      return this.endpointsOf(service);
    }
    if (host.startsWith("*")) return [];
    return [{ namespace: ref.namespace, ref: undefined, endpoint: { ...nobody, address: host } }];
  }
}

const nobody: Endpoint = {
  address: "",
  ports: new Map(),
  labels: new Map(),
  serviceAccount: "",
  network: "",
  locality: "",
  weight: 0,
};

/** Of the endpoint: what it says itself, else what the service says. */
export function endpointPort({ ports }: Endpoint, port: ServicePort): number {
  return ports.get(port.name) ?? port.targetPort ?? port.number;
}

function labelsOf({ ref, labels }: WorkloadEntry): readonly string[] {
  return pairsOf({ namespace: ref.namespace, labels });
}

function selectorOf({ ref, workloadSelector }: ServiceEntry): readonly string[] {
  return pairsOf({ namespace: ref.namespace, labels: workloadSelector });
}
