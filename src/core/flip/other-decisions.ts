/** What a flip of a namespace leaves out: workloads for which an object of their own decides. Each such object is flipped by itself. */

import { compareText } from "../compare-text.ts";
import { heldDecision, Holds } from "../policy/holds.ts";
import type { Labelled } from "../policy/labels.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { serverMode, type ServerMode } from "../policy/server-mode.ts";
import { nameKey, type Labels, type ResourceRef } from "../resources/resource.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import { listed, type FlipRefusal } from "./flip-error.ts";
import { resolveTarget, shortestText } from "./resolve-target.ts";
import { modeOfAll, type TargetMode } from "./target-modes.ts";
import { concerns, otherPorts, type FlipTarget } from "./target.ts";

export interface OtherDecision {
  /** To be checked and flipped by itself. */
  readonly target: string;
  readonly object: ResourceRef;
  readonly mode: TargetMode;
  /** `NAMESPACE/NAME` of those with a proxy, sorted. */
  readonly workloads: readonly string[];
}

export interface OtherDecisionsOptions {
  /** What flips hold back is not strict. */
  readonly holds?: Holds;
  /** Proxies of the namespace without a WorkloadEntry, by their own word. */
  readonly strays?: readonly { readonly name: string; readonly labels: Labels }[];
}

interface Group extends Labelled {
  readonly names: readonly string[];
  readonly ports: ReadonlySet<number>;
}

/** Of anything but a namespace: none. By target. */
export function otherDecisions(
  view: MeshView,
  target: FlipTarget,
  { holds = new Holds(), strays = [] }: OtherDecisionsOptions = {},
): readonly OtherDecision[] {
  if (target.name !== "") return [];
  const { namespace } = target;
  const entries = view.selected(namespace, new Map()).map(({ labels, workloads }): Group => {
    const own = workloads.filter(takesMeshTls);
    const ports = new Set(own.flatMap((each) => [...view.portsOf(each)]));
    return { namespace, labels, names: own.map(({ ref }) => nameKey(ref)), ports };
  });
  const others = strays.map(({ name, labels }): Group => ({
    namespace,
    labels,
    names: [name],
    ports: new Set(),
  }));
  const parts = [...entries, ...others].flatMap((group) => partsOf(view, target, group, holds));
  const byObject = Map.groupBy(parts, ({ object, port }) => `${nameKey(object)} ${port}`);
  return Array.from(byObject.values(), (all) => decisionOf(view, all))
    .filter((each) => each !== undefined)
    .toSorted((a, b) => compareText(a.target, b.target));
}

const commandsMax = 3;

/** @param targets of other decisions */
export function checkCommands(targets: readonly string[]): readonly string[] {
  return commandsOf(targets, (each) => `portcullis mtls check ${each}`);
}

/** @param targets of other decisions */
export function permissiveCommands(targets: readonly string[]): readonly string[] {
  return commandsOf(
    targets,
    (each) => `portcullis mtls permissive ${each} --until 30d --owner NAME`,
  );
}

function commandsOf(
  targets: readonly string[],
  command: (target: string) => string,
): readonly string[] {
  const shown = targets.slice(0, commandsMax).map(command);
  const more = targets.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more by themselves`] : shown;
}

/** Where nothing of a namespace is left to judge: it would be called what it is not. */
export function decidedByOthers(
  { text }: Pick<FlipTarget, "text">,
  others: readonly OtherDecision[],
): FlipRefusal {
  const targets = others.map(({ target }) => target);
  const message =
    `expected a workload of ${text} for which the namespace's own object decides, ` +
    `got others for all of them: ${listed(targets)}`;
  return { code: "target-decided-by-others", message, hint: checkCommands(targets).join("; ") };
}

interface Part {
  readonly object: ResourceRef;
  /** `otherPorts` for the whole. */
  readonly port: number;
  readonly modes: readonly ServerMode[];
  readonly names: readonly string[];
}

/** Of workloads that no policy can tell apart. */
function partsOf(view: MeshView, target: FlipTarget, group: Group, holds: Holds): readonly Part[] {
  const { peers } = view.mesh;
  const { names } = group;
  const [policy] = peers.selecting(group);
  if (policy === undefined || names.length === 0) return [];
  const { ref: object } = policy;
  const modesAt = (port: number): readonly ServerMode[] => {
    const decision = serverMode(peers, group, port);
    return names.map((key) => {
      const of = holds.of({ ...group, name: key.slice(group.namespace.length + 1) });
      return heldDecision(decision, of, port).mode;
    });
  };
  const all = [...new Set([...group.ports, ...policy.ports.keys(), otherPorts])];
  const own = all.filter((port) => !concerns(peers, target, group, port));
  if (own.includes(otherPorts)) {
    return [{ object, port: otherPorts, modes: own.flatMap(modesAt), names }];
  }
  return own.map((port) => ({ object, port, modes: modesAt(port), names }));
}

/** @param all of one object */
function decisionOf(view: MeshView, all: readonly Part[]): OtherDecision | undefined {
  const [first] = all;
  if (first === undefined) return undefined;
  const { object, port } = first;
  const workloads = all.flatMap(({ names }) => names).toSorted(compareText);
  const mode = modeOfAll(all.flatMap(({ modes }) => modes));
  return { target: textOf(view, object, port), object, mode, workloads };
}

function textOf(view: MeshView, { namespace, name }: ResourceRef, port: number): string {
  const whole = resolveTarget(`${namespace}/peerauthentication/${name}`, view);
  const { text } = shortestText(view, `${namespace}/${name}`, whole);
  return port === otherPorts ? text : shortestText(view, `${text}:${port}`, whole).text;
}
