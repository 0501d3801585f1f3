/** Clients that no configuration can tell apart: a mesh has thousands of workloads, and few kinds of them. */

import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { nameKey } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { selects } from "./labels.ts";
import { isOfCluster, namesOf } from "./host-owners.ts";
import type { MeshView } from "./mesh-view.ts";
import { MultiMap } from "./multi-map.ts";

export interface ClientClass {
  /** Of both configurations: one of them stands for all. */
  readonly before: WorkloadEntry;
  readonly after: WorkloadEntry;
  /** `NAMESPACE/NAME`, sorted. */
  readonly names: readonly string[];
}

/** Of the workloads that both have. @param workloads of the first; some of them where others are alike */
export function clientClasses(
  before: MeshView,
  after: MeshView,
  workloads: Iterable<WorkloadEntry> = before.objects.workloads,
): readonly ClientClass[] {
  const [oldKind, newKind] = [kindOf(before), kindOf(after)];
  const classes = new Map<
    string,
    { before: WorkloadEntry; after: WorkloadEntry; names: string[] }
  >();
  for (const entry of workloads) {
    const now = after.mesh.services.workload(entry.ref);
    if (now === undefined) continue;
    const key = `${oldKind(entry)}\n${newKind(now)}`;
    const known = classes.get(key) ?? { before: entry, after: now, names: [] };
    known.names.push(nameKey(entry.ref));
    classes.set(key, known);
  }
  return Array.from(classes.values(), ({ names, ...each }) => ({
    ...each,
    names: names.toSorted(),
  })).toSorted((a, b) => ((a.names[0] ?? "") < (b.names[0] ?? "") ? -1 : 1));
}

/** All of a client that a decision asks for: its namespace only where some object makes a difference of it. */
function kindOf(view: MeshView): (client: WorkloadEntry) => string {
  const special = specialNamespaces(view);
  const selecting = Map.groupBy(
    view.objects.rules.filter(({ workloadSelector }) => workloadSelector.size > 0),
    ({ ref }) => ref.namespace,
  );
  return (client) => {
    const { namespace } = client.ref;
    const { labels } = client;
    const hasProxy = takesMeshTls(client);
    const sidecar = hasProxy ? view.sidecarOf({ namespace, labels }) : undefined;
    const isSpecial = special.has(namespace) || sidecar?.egress !== undefined;
    const rules = (selecting.get(namespace) ?? []).filter(({ workloadSelector }) =>
      selects(workloadSelector, labels),
    );
    return JSON.stringify([
      isSpecial ? namespace : "",
      hasProxy,
      sidecar && nameKey(sidecar.ref),
      rules.map(({ ref }) => ref.name),
    ]);
  };
}

/** Those that have rules of their own, or to whom, or from whom, something is shown that not everybody sees. */
function specialNamespaces({ objects, mesh }: MeshView): ReadonlySet<string> {
  const special = new Set([mesh.config.rootNamespace]);
  const hosts = new Set<string>();
  for (const { ref } of objects.rules) special.add(ref.namespace);
  const ofCluster = new MultiMap<string, ServiceEntry>();
  for (const each of objects.services.filter(isOfCluster)) {
    for (const name of namesOf(each)) ofCluster.add(name, each);
  }
  for (const each of objects.services) {
    const { namespace } = each.ref;
    // Of several services with one host a client is given its own namespace's.
    if (each.hosts.some((host) => hosts.has(host))) special.add(namespace);
    for (const host of each.hosts) hosts.add(host);
    if (isOfCluster(each)) continue;
    for (const owner of each.hosts.flatMap((host) => [...ofCluster.of(host)])) {
      special.add(namespace).add(owner.ref.namespace);
    }
  }
  for (const { ref, exportTo } of [...objects.rules, ...objects.services]) {
    for (const each of exportTo) special.add(each === "." ? ref.namespace : each);
  }
  return special;
}
