/** Who is selected: by namespace, and by every label of a selector. */

import type { Labels } from "../resources/resource.ts";

/** A workload, as policies select it. */
export interface Labelled {
  readonly namespace: string;
  readonly labels: Labels;
}

/** An empty one selects everybody. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const [key, value] of selector) if (labels.get(key) !== value) return false;
  return true;
}

/** Each label with its namespace, as an index finds it: no namespace has a slash. */
export function pairsOf({ namespace, labels }: Labelled): readonly string[] {
  return Array.from(labels, ([key, value]) => `${namespace}/${key}=${value}`);
}

/** The same for equal labels only, in whatever order they came. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify([...labels].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
