/** One thing that a schedule can do. A schedule without one of its actions is still a schedule, so that it can be shrunk. */

import type { World } from "../world/world.ts";

export interface Action {
  readonly name: string;
  /** How often it is chosen, before a schedule has made up its own mind. */
  readonly weight: number;
  /** @returns whether it did anything: where it does not fit, nothing happens */
  readonly apply: (world: World) => boolean;
}

export function chosen<T>(all: readonly T[], world: World): T | undefined {
  return all[world.random.below(Math.max(1, all.length))];
}
