/** Several DestinationRules of one host as one: the oldest says what is sent, and each brings its subsets. */

import type { DestinationRule, Subset, TrafficPolicy } from "../resources/destination-rule.ts";
import type { ResourceRef } from "../resources/resource.ts";

export interface MergedRule {
  readonly traffic: TrafficPolicy | undefined;
  /** Of the rule that `traffic` is of. */
  readonly ref: ResourceRef;
  readonly subsets: readonly MergedSubset[];
  /** Those whose traffic policy does not count, since an older one has one. */
  readonly ignored: readonly ResourceRef[];
}

export interface MergedSubset extends Subset {
  readonly ref: ResourceRef;
}

/** @param rules of one host, the oldest first; not empty */
export function mergeRules(rules: readonly DestinationRule[]): MergedRule {
  const saying = rules.filter(({ traffic }) => traffic !== undefined);
  const [first = rules[0], ...others] = saying;
  if (first === undefined) throw new RangeError("expected at least one rule, got none");
  const subsets = new Map<string, MergedSubset>();
  for (const { ref, subsets: each } of rules) {
    for (const subset of each) {
      if (!subsets.has(subset.name)) subsets.set(subset.name, { ...subset, ref });
    }
  }
  return {
    traffic: first.traffic,
    ref: first.ref,
    subsets: [...subsets.values()],
    ignored: others.map(({ ref }) => ref),
  };
}
