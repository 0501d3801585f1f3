/** What the ports of a target take by the objects, whatever a flip holds back. */

import { decidePort, Holds, type NamedWorkload } from "../policy/holds.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { serverMode, type ServerDecision, type ServerMode } from "../policy/server-mode.ts";
import type { ResourceRef } from "../resources/resource.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import {
  concerns,
  labelledOf,
  likeTarget,
  membersOf,
  otherPorts,
  selectorOf,
  type FlipTarget,
} from "./target.ts";

export interface TargetPort {
  /** `NAMESPACE/NAME`; the target's own text where nobody of it is known. */
  readonly name: string;
  /** 0: all that nobody names. */
  readonly port: number;
  readonly decision: ServerDecision;
}

/**
 * Of each member, by name and port; where nobody is known, of a workload that would be one.
 * @param holds of the flips under way, where what holds now is asked for
 */
export function targetPorts(
  view: MeshView,
  target: FlipTarget,
  holds: Holds = new Holds(),
): readonly TargetPort[] {
  const { peers } = view.mesh;
  const { members } = membersOf(view, target);
  const portsOf = (name: string, workload: NamedWorkload, named: readonly number[]) =>
    [...new Set([...named, ...target.ports, otherPorts])]
      .filter((port) => concerns(peers, target, workload, port))
      .map((port) => ({ name, port, decision: decidePort({ peers, holds }, workload, port) }));
  const found = members.flatMap(({ name, workload, named }) =>
    portsOf(name, { ...labelledOf(workload), name: workload.ref.name }, named),
  );
  if (members.length > 0) return found;
  const like = likeTarget(target);
  const named = peers.selecting(like).flatMap(({ ports }) => [...ports.keys()]);
  return portsOf(target.text, like, named);
}

/** As `targetPorts`, of workloads that no policy can tell apart once: a target may have thousands. */
export function targetDecisions(
  view: MeshView,
  target: FlipTarget,
): readonly Pick<TargetPort, "port" | "decision">[] {
  const { peers } = view.mesh;
  const groups = view
    .selected(target.namespace, selectorOf(target))
    .filter(({ workloads }) => workloads.some(takesMeshTls));
  const decided = groups.flatMap((group) => {
    const ports = new Set([...target.ports, otherPorts]);
    for (const port of peers.selecting(group)[0]?.ports.keys() ?? []) ports.add(port);
    for (const each of group.workloads) {
      if (takesMeshTls(each)) for (const port of view.portsOf(each)) ports.add(port);
    }
    return [...ports]
      .filter((port) => concerns(peers, target, group, port))
      .map((port) => ({ port, decision: serverMode(peers, group, port) }));
  });
  return decided.length > 0 ? decided : targetPorts(view, target);
}

export type TargetMode = ServerMode | "mixed";

export function modeOfAll(all: Iterable<ServerMode>): TargetMode {
  const modes = new Set(all);
  const [first = "permissive"] = modes;
  return modes.size > 1 ? "mixed" : first;
}

/** One that says it of some of these ports, in the place of the namespace's or the mesh's. */
export function ownObject(ports: readonly TargetPort[]): ResourceRef | undefined {
  return ports
    .flatMap(({ decision: { because, overrode } }) => [because, ...overrode])
    .find(({ rule }) => rule === "workload" || rule === "port")?.ref;
}
