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
