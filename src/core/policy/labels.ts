/** Selectors: every label of it, with its value. */

import type { Labels } from "../resources/resource.ts";

/** An empty one selects everybody. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const [key, value] of selector) if (labels.get(key) !== value) return false;
  return true;
}
