/**
 * Whose calls the configuration itself would break: a proxy that is told to send plaintext where it would be refused. Who has no proxy
 * is not among them: nothing says whom it calls, and what it does is seen.
 */

import { compareText } from "../compare-text.ts";
import type { BrokenCall } from "../evidence/callers.ts";
import { selects } from "../policy/labels.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { callChanges } from "../policy/policy-diff-calls.ts";
import { clientClasses } from "../policy/policy-diff-clients.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { nameKey } from "../resources/resource.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { selectorOf, type FlipTarget } from "./target.ts";
import { viewOf, viewWith } from "./view-with.ts";

/** By name, each once for each port of a host. @param policy by which the target changes */
export function brokenCalls(
  view: MeshView,
  policy: PeerAuthentication,
  target: FlipTarget,
): readonly BrokenCall[] {
  const services = servicesOf(view, target);
  const clients = clientsOf(view);
  const called = services.flatMap((each) => workloadsOf(view, each));
  const workloads = [...new Set([...clients.keys(), ...called])];
  const before = viewOf(view, { services, workloads });
  const after = viewWith(before, policy.ref, policy);
  const names = new Map(Array.from(clients, ([client, all]) => [nameKey(client.ref), all]));
  const found = new Map<string, BrokenCall>();
  for (const client of clientClasses(before, after)) {
    if (!takesMeshTls(client.before)) continue;
    for (const { host, port, after: outcome, breaks } of callChanges(before, after, client)) {
      if (!breaks) continue;
      const why = `${outcome.why} to ${host}:${port}`;
      for (const name of client.names.flatMap((each) => names.get(each) ?? [])) {
        found.set(`${name} ${why}`, { client: name, why });
      }
    }
  }
  return [...found.values()].toSorted(
    (a, b) => compareText(a.client, b.client) || compareText(a.why, b.why),
  );
}

/** Those with an endpoint of the target, also a written one, and others of their hosts: which one a client is given depends on all. */
function servicesOf(view: MeshView, target: FlipTarget): readonly ServiceEntry[] {
  const selector = selectorOf(target);
  const own = view.objects.services.filter(
    (each) =>
      each.ref.namespace === target.namespace &&
      view.endpointsOf(each).some(({ endpoint: { labels } }) => selects(selector, labels)),
  );
  const hosts = new Set(own.flatMap((each) => each.hosts));
  return view.objects.services.filter((each) => each.hosts.some((host) => hosts.has(host)));
}

/** With a proxy: of those that no rule can tell apart one, with the names of all. */
function clientsOf({ groups }: MeshView): ReadonlyMap<WorkloadEntry, readonly string[]> {
  const clients = new Map<WorkloadEntry, readonly string[]>();
  for (const { workloads } of groups) {
    const meshed = workloads.filter(takesMeshTls);
    const [first] = meshed;
    if (first !== undefined)
      clients.set(
        first,
        meshed.map(({ ref }) => nameKey(ref)),
      );
  }
  return clients;
}

function workloadsOf(view: MeshView, service: ServiceEntry): readonly WorkloadEntry[] {
  return view.endpointsOf(service).flatMap(({ ref }) => {
    const entry = ref && view.mesh.services.workload(ref);
    return entry === undefined ? [] : [entry];
  });
}
