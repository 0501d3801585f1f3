/** Which ports of which workloads a flip makes strict: the others of its target are asked for nothing. */

import type { FlipPorts } from "../../../core/flip/flip.ts";
import { isFlipPort } from "../../../core/flip/flip.ts";
import { concerns, membersOf, otherPorts, type FlipTarget } from "../../../core/flip/target.ts";
import { labelsKey } from "../../../core/policy/labels.ts";
import type { MeshView } from "../../../core/policy/mesh-view.ts";
import type { Labels } from "../../../core/resources/resource.ts";
import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";

export interface AskedPorts {
  /** @param labels of a workload of the target */
  readonly isAsked: (labels: Labels, port: number) => boolean;
  /** Whether any port of it is; also where nobody knows which it has. */
  readonly isMember: (labels: Labels) => boolean;
}

/** Without those that only call: their Envoys are known to listen nowhere, and no object names a port of theirs. */
export function withoutCallersOnly<T extends Pick<StoredMember, "name" | "ports">>(
  view: MeshView,
  target: FlipTarget,
  members: readonly T[],
): readonly T[] {
  if (members.every(({ ports }) => ports?.length !== 0)) return members;
  const known = membersOf(view, target).members;
  const callers = new Set(known.flatMap(({ name, named }) => (named.length === 0 ? [name] : [])));
  return members.filter(({ name, ports }) => ports?.length !== 0 || !callers.has(name));
}

/** Whether nobody is left, and all that are known only call. Of one that has never been heard of, it is not known. @param left of those taken */
export function onlyCalls<T extends Pick<StoredMember, "name">>(
  view: MeshView,
  target: FlipTarget,
  { taken, left }: { readonly taken: readonly T[]; readonly left: readonly T[] },
  isStrict: (workload: string) => boolean,
): boolean {
  const heard = new Set(taken.map(({ name }) => name).filter((name) => !isStrict(name)));
  if (heard.size === 0 || left.length > 0) return false;
  const known = membersOf(view, target).members.filter(({ name }) => !isStrict(name));
  return known.every(({ name }) => heard.has(name));
}

export function askedPorts(view: MeshView, target: FlipTarget, ports: FlipPorts): AskedPorts {
  const { namespace, name } = target;
  const known = new Map<string, boolean>();
  // A namespace's policy says nothing where a workload has its own.
  const isConcerned = (labels: Labels, port: number): boolean => {
    if (name !== "") return true;
    const key = `${port} ${labelsKey(labels)}`;
    const there = known.get(key);
    if (there !== undefined) return there;
    const is = concerns(view.mesh.peers, target, { namespace, labels }, port);
    known.set(key, is);
    return is;
  };
  return {
    isAsked: (labels, port) => isFlipPort(ports, port) && isConcerned(labels, port),
    isMember: (labels) => isConcerned(labels, otherPorts),
  };
}
