/** A whole configuration, with what only the whole knows: who is selected, which ports a workload has, which Sidecar is its own. */

import type { PolicyObject } from "../resources/policy-object.ts";
import type { Labels } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { Sidecar } from "../resources/sidecar.ts";
import type { Endpoint, WorkloadEntry } from "../resources/workload-entry.ts";
import type { MeshPolicy } from "./calls.ts";
import { matchesHost } from "./explain-egress.ts";
import { Holds, type Hold } from "./holds.ts";
import { LabelIndex } from "./label-index.ts";
import { labelsKey, type Labelled } from "./labels.ts";
import { meshOf, objectsByKind, type MeshObjects } from "./mesh-of.ts";
import { endpointPort, type ServiceEndpoint } from "./services.ts";
import { Sidecars } from "./sidecars.ts";

/** Workloads that no policy can tell apart. */
export interface WorkloadGroup extends Labelled {
  /** Not empty; the oldest first. */
  readonly workloads: readonly WorkloadEntry[];
}

export interface ServiceHost {
  readonly host: string;
  readonly service: ServiceEntry;
}

interface WorkloadFacts {
  readonly ports: Set<number>;
  readonly services: ServiceEntry[];
}

export class MeshView {
  readonly objects: MeshObjects;
  readonly mesh: MeshPolicy;
  readonly groups: readonly WorkloadGroup[];
  readonly #groups: LabelIndex<WorkloadGroup>;
  readonly #sidecars: Sidecars;
  readonly #hosts: ReadonlyMap<string, readonly ServiceHost[]>;
  readonly #covered = new Map<string, readonly ServiceHost[]>();
  readonly #endpoints = new Map<ServiceEntry, readonly ServiceEndpoint[]>();
  #facts: ReadonlyMap<Endpoint, WorkloadFacts> | undefined;

  /** @param holds of the flips that are under way, where what holds now is asked for, and not what the objects say */
  constructor(objects: readonly PolicyObject[], trustDomain: string, holds: readonly Hold[] = []) {
    this.objects = objectsByKind(objects);
    this.mesh = { ...meshOf(this.objects, trustDomain), holds: new Holds(holds) };
    this.groups = groupsOf(this.objects.workloads);
    this.#groups = new LabelIndex(this.groups);
    this.#sidecars = new Sidecars(this.mesh.config.rootNamespace);
    for (const each of this.objects.sidecars) this.#sidecars.set(each);
    const hosts = this.objects.services.flatMap((service) =>
      service.hosts.map((host): ServiceHost => ({ host, service })),
    );
    this.#hosts = Map.groupBy(hosts, ({ host }) => host);
  }

  /** Of a namespace; an empty selector selects all. */
  selected(namespace: string, selector: Labels): readonly WorkloadGroup[] {
    return this.#groups.selected(namespace, selector);
  }

  endpointsOf(service: ServiceEntry): readonly ServiceEndpoint[] {
    const known = this.#endpoints.get(service);
    if (known !== undefined) return known;
    const found = this.mesh.services.endpointsOf(service);
    this.#endpoints.set(service, found);
    return found;
  }

  /** Those that its own entry, a ServiceEntry or its Sidecar names. */
  portsOf(workload: WorkloadEntry): ReadonlySet<number> {
    this.#facts ??= this.#workloadFacts();
    return this.#facts.get(workload)?.ports ?? new Set();
  }

  /** Those whose endpoint it is. */
  servicesOf(workload: WorkloadEntry): readonly ServiceEntry[] {
    this.#facts ??= this.#workloadFacts();
    return this.#facts.get(workload)?.services ?? [];
  }

  hosts(): Iterable<string> {
    return this.#hosts.keys();
  }

  /** Those that have just this host, which may have a leading star. */
  servicesOfHost(host: string): readonly ServiceHost[] {
    return this.#hosts.get(host) ?? [];
  }

  /** Those that have the host, or one that a pattern with a leading star covers. */
  servicesAt(pattern: string): readonly ServiceHost[] {
    if (!pattern.startsWith("*")) return this.servicesOfHost(pattern);
    const known = this.#covered.get(pattern);
    if (known !== undefined) return known;
    const found = Array.from(this.#hosts.values())
      .flat()
      .filter(({ host }) => matchesHost(pattern, host));
    this.#covered.set(pattern, found);
    return found;
  }

  sidecarOf(target: Labelled): Sidecar | undefined {
    return this.#sidecars.ofWorkload(target);
  }

  #workloadFacts(): ReadonlyMap<Endpoint, WorkloadFacts> {
    const facts = new Map<Endpoint, WorkloadFacts>();
    for (const each of this.objects.workloads) {
      facts.set(each, { ports: new Set(each.ports.values()), services: [] });
    }
    for (const service of this.objects.services) {
      for (const { endpoint } of this.endpointsOf(service)) {
        const of = facts.get(endpoint);
        of?.services.push(service);
        for (const port of service.ports) of?.ports.add(endpointPort(endpoint, port));
      }
    }
    for (const group of this.groups) {
      for (const { port } of this.sidecarOf(group)?.ingress ?? []) {
        for (const workload of group.workloads) facts.get(workload)?.ports.add(port.number);
      }
    }
    return facts;
  }
}

function groupsOf(workloads: readonly WorkloadEntry[]): readonly WorkloadGroup[] {
  const groups = Map.groupBy(
    workloads,
    ({ ref, labels }) => `${ref.namespace}/${labelsKey(labels)}`,
  );
  return Array.from(groups.values(), (each) => ({
    namespace: each[0]?.ref.namespace ?? "",
    labels: each[0]?.labels ?? new Map(),
    workloads: each,
  }));
}
