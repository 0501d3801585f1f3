/** What is to go strict: the workloads that one PeerAuthentication can decide for, and which of their ports. */

import { labelsKey, selects, type Labelled } from "../policy/labels.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import type { PeerPolicies } from "../policy/peer-policies.ts";
import { serverMode } from "../policy/server-mode.ts";
import { nameKey, type Labels } from "../resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";

/** As it is kept: JSON. */
export interface FlipTarget {
  /** As it was asked for, and can be asked for again. */
  readonly text: string;
  readonly namespace: string;
  /** "" for all of the namespace whom no policy of their own decides for. */
  readonly name: string;
  /** Empty for a namespace. */
  readonly selector: Readonly<Record<string, string>>;
  /** The workloads' own; empty: all. */
  readonly ports: readonly number[];
}

export interface TargetMember {
  readonly workload: WorkloadEntry;
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** Of the target: those for which its proxy has a listener of ours, ascending. */
  readonly enforced: readonly number[];
  /** Of the target: all that some object names, ascending. */
  readonly named: readonly number[];
}

export interface TargetMembers {
  readonly members: readonly TargetMember[];
  /** Selected, and without a proxy that could refuse anybody. */
  readonly unmeshed: readonly string[];
}

export function selectorOf({ selector }: Pick<FlipTarget, "selector">): Labels {
  return new Map(Object.entries(selector));
}

/** A workload that has what selects the target, and nothing else. */
export function likeTarget({ namespace, selector }: FlipTarget): Labelled {
  return { namespace, labels: selectorOf({ selector }) };
}

function isTargetPort({ ports }: Pick<FlipTarget, "ports">, port: number): boolean {
  return ports.length === 0 || ports.includes(port);
}

/** Whether it is the target's policy that says what this port takes, or would be. */
export function concerns(
  peers: PeerPolicies,
  target: FlipTarget,
  workload: Labelled,
  port: number,
): boolean {
  if (workload.namespace !== target.namespace || !isTargetPort(target, port)) return false;
  if (target.name !== "") return selects(selectorOf(target), workload.labels);
  const { rule } = serverMode(peers, workload, port).because;
  return rule !== "workload" && rule !== "port";
}

/** By name. Proxies without a WorkloadEntry are not among them: nothing here knows of them. */
export function membersOf(view: MeshView, target: FlipTarget): TargetMembers {
  const selected = view
    .selected(target.namespace, selectorOf(target))
    .flatMap(({ workloads }) => workloads)
    .toSorted((a, b) => (a.ref.name < b.ref.name ? -1 : 1));
  const members: TargetMember[] = [];
  const unmeshed: string[] = [];
  for (const workload of selected) {
    const name = nameKey(workload.ref);
    const ports = portsOf(view, target, workload);
    if (ports === undefined) continue;
    if (takesMeshTls(workload)) members.push({ workload, name, ...ports });
    else unmeshed.push(name);
  }
  return { members, unmeshed };
}

export function labelledOf({ ref, labels }: WorkloadEntry): Labelled {
  return { namespace: ref.namespace, labels };
}

/** No policy can name it. */
export const otherPorts = 0;

/** @returns undefined where its own policy decides for all of them */
function portsOf(
  view: MeshView,
  target: FlipTarget,
  workload: WorkloadEntry,
): Pick<TargetMember, "enforced" | "named"> | undefined {
  const labelled = labelledOf(workload);
  const { peers } = view.mesh;
  const isConcerned = (port: number): boolean => concerns(peers, target, labelled, port);
  const ascending = (ports: Iterable<number>): readonly number[] =>
    Array.from(new Set(ports))
      .filter(isConcerned)
      .toSorted((a, b) => a - b);
  const [policy] = peers.selecting(labelled);
  const named = ascending([...view.portsOf(workload), ...(policy?.ports.keys() ?? [])]);
  const ingress = view.sidecarOf(labelled)?.ingress ?? [];
  const enforced = ascending(ingress.map(({ port }) => port.number));
  const isAny = named.length > 0 || target.ports.length > 0 || isConcerned(otherPorts);
  return isAny ? { enforced, named } : undefined;
}

/** Whether no workload could be of both: two flips at a time must not meet. */
export function areApart(a: FlipTarget, b: FlipTarget): boolean {
  if (a.namespace !== b.namespace) return true;
  return Object.entries(a.selector).some(([key, value]) => (b.selector[key] ?? value) !== value);
}

/** The same for those that mean the same, however they were asked for. */
export function targetKey(target: FlipTarget): string {
  return JSON.stringify([target.namespace, labelsKey(selectorOf(target)), target.ports]);
}
