/** How many connections of a caller lie within a window: hours have totals of all that was before them, so its length costs nothing. */

import { hourMs } from "./evidence-change.ts";

/** Of a caller `c`, what was before the hour `:hour`, in which the window begins. */
export const countBefore =
  "coalesce((SELECT total FROM hours WHERE caller = c.id AND hour < :hour ORDER BY hour DESC LIMIT 1), 0)";

export function hourOf(sinceMs: number): number {
  return Math.floor(sinceMs / hourMs);
}
