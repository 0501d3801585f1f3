/** All that can happen in a simulated mesh under policy. */

import type { PolicyAction } from "./action.ts";
import { faultActions } from "./fault-actions.ts";
import { operatorActions } from "./operator-actions.ts";
import type { PolicyWorld } from "./world.ts";

function run(world: PolicyWorld, steps: number): void {
  for (let left = steps; left > 0; left--) world.step();
}

const passing: readonly PolicyAction[] = [
  { name: "few steps", weight: 20, apply: (world) => run(world, 1 + world.random.below(4)) },
  { name: "steps", weight: 30, apply: (world) => run(world, 5 + world.random.below(30)) },
  {
    name: "connect",
    weight: 14,
    apply(world) {
      if (world.server === undefined) world.startServer();
      for (const agent of world.agents) {
        if (world.random.below(3) === 0) continue;
        if (!agent.isAlive && !world.gone.has(agent.key)) agent.start(world.random.below(2) === 0);
        world.connect(agent);
      }
    },
  },
  { name: "settle", weight: 2, apply: (world) => world.settle() },
];

export const policyActions: readonly PolicyAction[] = [
  ...operatorActions,
  ...faultActions,
  ...passing,
];
