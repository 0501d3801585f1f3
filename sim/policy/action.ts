/** One thing that can happen in a simulated mesh under policy. It does what fits, or nothing. */

import type { PolicyWorld } from "./world.ts";

export interface PolicyAction {
  readonly name: string;
  /** How often it is chosen. */
  readonly weight: number;
  readonly apply: (world: PolicyWorld) => void;
}

export function chosen<T>(world: PolicyWorld, all: readonly T[]): T | undefined {
  return all[world.random.below(Math.max(1, all.length))];
}
