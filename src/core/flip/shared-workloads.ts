/** Whether two targets have a workload in common: whoever asks about one has to be told of a flip of the other. */

import type { MeshView } from "../policy/mesh-view.ts";
import { areApart, membersOf, type FlipTarget } from "./target.ts";

/** @param view of their namespace */
export function shareWorkloads(view: MeshView, a: FlipTarget, b: FlipTarget): boolean {
  if (areApart(a, b)) return false;
  if (a.ports.length > 0 && b.ports.length > 0 && !a.ports.some((port) => b.ports.includes(port))) {
    return false;
  }
  const names = new Set(membersOf(view, a).members.map(({ name }) => name));
  return membersOf(view, b).members.some(({ name }) => names.has(name));
}
