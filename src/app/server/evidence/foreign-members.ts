/**
 * Proxies that nobody but a report tells of, so that nobody has said their labels. Whoever makes one up must not keep all of his namespace
 * from going strict, and one that is real, and was not told in time, must not be passed over: it counts for those that its identity is of.
 */

import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";

/**
 * Without those whose identity is of nobody that is selected.
 * @param all those that a selector takes, which is not empty: it takes nobody who is known to have no labels
 * @param selected SPIFFE IDs of the workloads that it takes by their objects
 */
export function withoutForeign(
  all: readonly StoredMember[],
  selected: () => Iterable<string>,
): readonly StoredMember[] {
  if (!all.some(isUntold)) return all;
  const own = all.flatMap(({ labels, spiffeId }) => (labels.size > 0 ? [spiffeId] : []));
  const identities = new Set([...own, ...selected()]);
  return all.filter((each) => !isUntold(each) || identities.has(each.spiffeId));
}

/** Lives that were folded have no proxy: some of them were told. */
function isUntold({ proxy, labels, labelsNow }: StoredMember): boolean {
  return labels.size === 0 && labelsNow === undefined && proxy !== "";
}
