/** How findings speak of objects, and of several of them. */

import { refWords, type Resource, type ResourceRef } from "../resources/resource.ts";
import type { Finding } from "./finding.ts";
import type { WorkloadGroup } from "./mesh-view.ts";

export function warn(
  code: string,
  ref: ResourceRef,
  path: string,
  text: string,
  hint = "",
): Finding {
  return { severity: "warning", code, ref, path, text, hint };
}

/** `shop/web`, or `shop/web and 2 more`. @param names not empty */
export function firstOf(names: readonly string[]): string {
  const [first = "nobody", ...others] = names;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

export function workloadNames(groups: readonly WorkloadGroup[]): readonly string[] {
  return groups.flatMap(({ workloads }) =>
    workloads.map(({ ref }) => `${ref.namespace}/${ref.name}`),
  );
}

/**
 * Of two that are for the same the older counts. @param where for whom: `for shop/web`
 */
export function shadowed(winner: Resource, loser: Resource, where: string): Finding {
  const by = `${refWords(winner.ref)} counts ${where}, and this does not: `;
  if (winner.createdMs !== loser.createdMs) {
    const why = loser.createdMs === undefined ? "this has no creationTimestamp" : "it is older";
    return warn("not-the-oldest", loser.ref, "", by + why, "keep one of them, or merge them");
  }
  const age =
    winner.createdMs === undefined ? "neither has a creationTimestamp" : "they are of one age";
  const hint = "keep one of them; files have no age unless metadata.creationTimestamp is written";
  return warn("tie-decided-by-name", loser.ref, "", `${by}${age}, so the name decides`, hint);
}
