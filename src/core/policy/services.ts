/** Which hosts there are, for whom, and who answers for them: ServiceEntries, with the WorkloadEntries that they select. */

import type { ServiceEntry, ServicePort } from "../resources/service-entry.ts";
import {
  compareAge,
  nameKey,
  type Labels,
  type ResourceName,
  type ResourceRef,
} from "../resources/resource.ts";
import type { Endpoint, WorkloadEntry } from "../resources/workload-entry.ts";
import { isExportedTo } from "./export-to.ts";
import { selects } from "./labels.ts";

/** An endpoint, with the namespace that its policies are of. */
export interface ServiceEndpoint {
  readonly namespace: string;
  /** Undefined for one that is written into the ServiceEntry. */
  readonly ref: ResourceRef | undefined;
  readonly endpoint: Endpoint;
}

export class Services {
  readonly #entries = new Map<string, ServiceEntry>();
  /** By host: the names of those that have it. */
  readonly #hosts = new Map<string, Set<string>>();
  readonly #workloads = new Map<string, WorkloadEntry>();
  /** By namespace and one label: the names of the workloads that have it. */
  readonly #labelled = new Map<string, Set<string>>();

  setService(entry: ServiceEntry): void {
    this.deleteService(entry.ref);
    const key = nameKey(entry.ref);
    this.#entries.set(key, entry);
    for (const host of entry.hosts) addTo(this.#hosts, host, key);
  }

  deleteService(ref: ResourceName): void {
    const key = nameKey(ref);
    for (const host of this.#entries.get(key)?.hosts ?? []) removeFrom(this.#hosts, host, key);
    this.#entries.delete(key);
  }

  setWorkload(entry: WorkloadEntry): void {
    this.deleteWorkload(entry.ref);
    const key = nameKey(entry.ref);
    this.#workloads.set(key, entry);
    for (const label of labelKeys(entry)) addTo(this.#labelled, label, key);
  }

  deleteWorkload(ref: ResourceName): void {
    const key = nameKey(ref);
    const entry = this.#workloads.get(key);
    if (entry === undefined) return;
    for (const label of labelKeys(entry)) removeFrom(this.#labelled, label, key);
    this.#workloads.delete(key);
  }

  workload(ref: ResourceName): WorkloadEntry | undefined {
    return this.#workloads.get(nameKey(ref));
  }

  /** Those that a client sees for a host: its own namespace's first, then the oldest. */
  seen(host: string, clientNamespace: string): readonly ServiceEntry[] {
    const all = Array.from(this.#hosts.get(host) ?? [], (key) => this.#entries.get(key));
    const isOther = ({ ref }: ServiceEntry): number => Number(ref.namespace !== clientNamespace);
    return all
      .filter((entry) => entry !== undefined)
      .filter((entry) => isExportedTo(entry, clientNamespace))
      .toSorted((a, b) => isOther(a) - isOther(b) || compareAge(a, b));
  }

  /** Those that it selects, else those that are written into it. */
  endpointsOf({ ref, workloadSelector, endpoints }: ServiceEntry): readonly ServiceEndpoint[] {
    const { namespace } = ref;
    if (workloadSelector.size === 0) {
      return endpoints.map((endpoint) => ({ namespace, ref: undefined, endpoint }));
    }
    return this.#selected(namespace, workloadSelector).map((entry) => ({
      namespace,
      ref: entry.ref,
      endpoint: entry,
    }));
  }

  #selected(namespace: string, selector: Labels): readonly WorkloadEntry[] {
    for (const [key, value] of selector) {
      const named = this.#labelled.get(labelKey(namespace, key, value)) ?? [];
      return Array.from(named, (each) => this.#workloads.get(each))
        .filter((entry) => entry !== undefined)
        .filter(({ labels }) => selects(selector, labels))
        .toSorted(compareAge);
    }
    return [];
  }
}

/** Of the endpoint: what it says itself, else what the service says. */
export function endpointPort({ ports }: Endpoint, port: ServicePort): number {
  return ports.get(port.name) ?? port.targetPort ?? port.number;
}

function labelKey(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`;
}

function labelKeys({ ref, labels }: WorkloadEntry): readonly string[] {
  return Array.from(labels, ([key, value]) => labelKey(ref.namespace, key, value));
}

function addTo(index: Map<string, Set<string>>, key: string, name: string): void {
  const names = index.get(key) ?? new Set<string>();
  index.set(key, names.add(name));
}

function removeFrom(index: Map<string, Set<string>>, key: string, name: string): void {
  const names = index.get(key);
  names?.delete(name);
  if (names?.size === 0) index.delete(key);
}
