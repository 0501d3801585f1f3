/** What a namespace can be flipped by: each ServiceEntry's workloads, and those that none selects. */

import { labelsKey } from "../policy/labels.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { nameKey, shownName } from "../resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import { FlipError } from "./flip-error.ts";
import { resolveTarget, shortestText } from "./resolve-target.ts";
import { labelledOf, membersOf, selectorOf, type FlipTarget } from "./target.ts";

export interface NamespaceTargets {
  /** Of each selector one, with a member that has a proxy and is called. */
  readonly targets: readonly FlipTarget[];
  /** Workloads with a proxy that are called and that no target has, and why. */
  readonly others: readonly { readonly name: string; readonly why: string }[];
}

export function namespaceTargets(view: MeshView, namespace: string): NamespaceTargets {
  const targets = new Map<string, FlipTarget>();
  const others: { name: string; why: string }[] = [];
  const add = (text: string, target: FlipTarget): void => {
    const key = labelsKey(selectorOf(target));
    if (!targets.has(key)) targets.set(key, shortestText(view, text, target));
  };
  for (const { ref, workloadSelector } of view.objects.services) {
    if (ref.namespace !== namespace || workloadSelector.size === 0) continue;
    const { name, standsFor } = ref;
    const kind = standsFor === undefined ? "serviceentry" : "service";
    const target = resolveTarget(`${namespace}/${kind}/${standsFor?.name ?? name}`, view);
    if (takesCalls(view, target)) add(shownName(ref), target);
  }
  for (const name of unselected(view, namespace, [...targets.values()])) {
    try {
      const target = resolveTarget(`${namespace}/workloadentry/${name}`, view);
      if (takesCalls(view, target)) add(`${namespace}/${name}`, target);
    } catch (error) {
      if (!(error instanceof FlipError)) throw error;
      others.push({ name: `${namespace}/${name}`, why: error.message });
    }
  }
  return { targets: [...targets.values()], others };
}

/** Whoever only calls is no part of what can go strict. */
function takesCalls(view: MeshView, target: FlipTarget): boolean {
  return membersOf(view, target).members.some(({ named }) => named.length > 0);
}

/** That some object names. */
function hasPorts(view: MeshView, workload: WorkloadEntry): boolean {
  const [policy] = view.mesh.peers.selecting(labelledOf(workload));
  return view.portsOf(workload).size > 0 || (policy?.ports.size ?? 0) > 0;
}

function unselected(
  view: MeshView,
  namespace: string,
  targets: readonly FlipTarget[],
): readonly string[] {
  const selected = new Set(
    targets.flatMap((each) => membersOf(view, each).members.map(({ name }) => name)),
  );
  return view.objects.workloads
    .filter((each) => each.ref.namespace === namespace && takesMeshTls(each))
    .filter((each) => !selected.has(nameKey(each.ref)) && hasPorts(view, each))
    .map(({ ref }) => ref.name)
    .toSorted();
}
