/** PeerAuthentications that say less than they seem to. */

import { untilAnnotation, untilExpected } from "../flip/debt.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { refWords } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import { selectorFindings } from "./findings-selected.ts";
import { firstOf, shadowed, warn, workloadNames } from "./findings-words.ts";
import type { Labelled } from "./labels.ts";
import type { MeshView, WorkloadGroup } from "./mesh-view.ts";
import { endpointPort } from "./services.ts";

export function peerFindings(view: MeshView): readonly Finding[] {
  const { peers } = view.objects;
  const { rootNamespace } = view.mesh.config;
  return [
    ...peers.flatMap((peer) => {
      if (peer.selector.size === 0) return portsWithoutSelector(peer);
      if (peer.ref.namespace === rootNamespace) return [selectorInRoot(peer)];
      return ofSelected(view, peer);
    }),
    ...peers.flatMap(unreadableUntil),
    ...shadowedWide(view),
    ...shadowedSelecting(view),
  ];
}

/** A date that nobody can read would never come. */
function unreadableUntil({ ref, unreadableUntil: until }: PeerAuthentication): readonly Finding[] {
  if (until === undefined) return [];
  const text = `expected ${untilExpected}, got ${JSON.stringify(until.slice(0, 60))}: it counts as a date that has come`;
  const path = `metadata.annotations."${untilAnnotation}"`;
  return [warn("date-unreadable", ref, path, text, "write it again: portcullis mtls permissive")];
}

function portsWithoutSelector({ ref, ports }: PeerAuthentication): readonly Finding[] {
  if (ports.size === 0) return [];
  const text = "its portLevelMtls is ignored: ports are for a workload's policy only";
  const hint = "give it a selector, or say it in spec.mtls";
  return [warn("ports-without-selector", ref, "spec.portLevelMtls", text, hint)];
}

function selectorInRoot({ ref }: PeerAuthentication): Finding {
  const text = `it is ignored: a selector in the root namespace ${ref.namespace} selects nobody, also not elsewhere`;
  const hint =
    "put it into the workloads' namespace, or take the selector away to mean the whole mesh";
  return warn("selector-in-root-namespace", ref, "spec.selector", text, hint);
}

function ofSelected(view: MeshView, peer: PeerAuthentication): readonly Finding[] {
  const { ref, selector, ports } = peer;
  const groups = view.selected(ref.namespace, selector);
  const known = new Set<number>();
  for (const { workloads } of groups) {
    for (const each of workloads) for (const port of view.portsOf(each)) known.add(port);
  }
  const unknown = known.size === 0 ? [] : [...ports.keys()].filter((port) => !known.has(port));
  return [
    ...selectorFindings(view, peer, selector, "spec.selector"),
    ...unknown.map((port) => portOfNobody(view, peer, port, groups, known)),
  ];
}

function portOfNobody(
  view: MeshView,
  { ref }: PeerAuthentication,
  port: number,
  groups: readonly WorkloadGroup[],
  known: ReadonlySet<number>,
): Finding {
  const listed = [...known].toSorted((a, b) => a - b).join(", ");
  const text = `no workload that it selects has port ${port}; known of ${firstOf(workloadNames(groups))}: ${listed}`;
  const meant = targetOf(view, groups, port);
  const hint =
    meant === undefined
      ? "ports here are the workload's own"
      : `ports here are the workload's own: ${meant}`;
  return warn("port-matches-nothing", ref, `spec.portLevelMtls."${port}"`, text, hint);
}

/** The usual mistake: the service's port in the place of the workload's. */
function targetOf(
  view: MeshView,
  groups: readonly WorkloadGroup[],
  port: number,
): string | undefined {
  for (const workload of groups.flatMap(({ workloads }) => workloads)) {
    for (const service of view.servicesOf(workload)) {
      const asked = service.ports.find(({ number }) => number === port);
      if (asked === undefined) continue;
      return `${port} of ${refWords(service.ref)} is ${endpointPort(workload, asked)} there`;
    }
  }
  return undefined;
}

function shadowedWide({ mesh, objects }: MeshView): readonly Finding[] {
  const namespaces = new Set(objects.peers.map(({ ref }) => ref.namespace));
  return [...namespaces].flatMap((namespace) => {
    const [winner, ...losers] = mesh.peers.wide(namespace);
    if (winner === undefined) return [];
    const isRoot = namespace === mesh.config.rootNamespace;
    const where = isRoot ? "for the mesh" : `for namespace ${namespace}`;
    return losers.map((loser) => shadowed(winner, loser, where));
  });
}

interface Shadow {
  readonly winner: PeerAuthentication;
  readonly names: string[];
}

/** For the workloads that are known; in a namespace without any, for one that has just the labels of the selector. */
function shadowedSelecting(view: MeshView): readonly Finding[] {
  const { mesh, objects } = view;
  const shadows = new Map<PeerAuthentication, Shadow>();
  const ask = (target: Labelled, names: readonly string[]): void => {
    if (target.namespace === mesh.config.rootNamespace) return;
    const [winner, ...losers] = mesh.peers.selecting(target);
    for (const loser of losers) {
      const shadow = shadows.get(loser) ?? { winner: winner ?? loser, names: [] };
      shadow.names.push(...names);
      shadows.set(loser, shadow);
    }
  };
  const inhabited = new Set(view.groups.map(({ namespace }) => namespace));
  for (const group of view.groups) ask(group, workloadNames([group]));
  for (const { ref, selector } of objects.peers) {
    const { namespace } = ref;
    if (selector.size > 0 && !inhabited.has(namespace)) ask({ namespace, labels: selector }, []);
  }
  return Array.from(shadows, ([loser, { winner, names }]) => {
    const where = names.length === 0 ? "for whom both select" : `for ${firstOf(names)}`;
    return shadowed(winner, loser, where);
  });
}
