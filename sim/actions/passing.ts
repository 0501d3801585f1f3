/** What is no fault: messages arrive, and time passes. */

import type { World } from "../world/world.ts";
import type { Action } from "./action.ts";

export const passing: readonly Action[] = [
  { name: "deliver-some", weight: 30, apply: (world) => flow(world, 1 + world.random.below(6)) },
  { name: "deliver-many", weight: 60, apply: (world) => flow(world, 20 + world.random.below(60)) },
  { name: "second", weight: 6, apply: (world) => pass(world, 1 + world.random.below(2_000)) },
  { name: "minute", weight: 8, apply: (world) => pass(world, world.random.below(90_000)) },
  { name: "life", weight: 5, apply: (world) => pass(world, world.random.below(world.lifeMs)) },
];

function flow(world: World, count: number): boolean {
  world.flow(count);
  return true;
}

function pass(world: World, ms: number): boolean {
  if (world.isBusy) world.struck("delayed", "messages");
  world.advance(ms);
  return true;
}
