/**
 * Whose calls the configuration itself would break: a proxy that is told to send plaintext where it would be refused. Who has no proxy
 * is not among them: nothing says whom it calls, and what it does is seen.
 */

import { compareText } from "../compare-text.ts";
import type { BrokenCall } from "../evidence/callers.ts";
import { isAbout } from "../policy/host-owners.ts";
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

/** By one client for each kind: the names of all. */
export type MeshClients = ReadonlyMap<WorkloadEntry, readonly string[]>;

/**
 * By name, each once for each port of a host.
 * @param policy by which the target changes
 * @param clients of the view: of a large mesh it takes a while to find them, so whoever asks for many targets does so once
 */
export function brokenCalls(
  view: MeshView,
  policy: PeerAuthentication,
  target: FlipTarget,
  clients: MeshClients = meshClients(view),
): readonly BrokenCall[] {
  const services = servicesOf(view, target);
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
  return view.objects.services.filter((each) => isAbout(each, hosts));
}

/** With a proxy: of those that no configuration can tell apart one, whatever PeerAuthentications say, with the names of all. */
export function meshClients(view: MeshView): MeshClients {
  const names = new Map<WorkloadEntry, readonly string[]>();
  for (const { workloads } of view.groups) {
    const meshed = workloads.filter(takesMeshTls);
    const [first] = meshed;
    if (first !== undefined)
      names.set(
        first,
        meshed.map(({ ref }) => nameKey(ref)),
      );
  }
  const firsts = new Map(Array.from(names.keys(), (first) => [nameKey(first.ref), first]));
  return new Map(
    clientClasses(view, view, names.keys()).map((kind) => {
      const alike = kind.names.flatMap((name) => firsts.get(name) ?? []);
      return [kind.before, alike.flatMap((first) => names.get(first) ?? [])] as const;
    }),
  );
}

function workloadsOf(view: MeshView, service: ServiceEntry): readonly WorkloadEntry[] {
  return view.endpointsOf(service).flatMap(({ ref }) => {
    const entry = ref && view.mesh.services.workload(ref);
    return entry === undefined ? [] : [entry];
  });
}
