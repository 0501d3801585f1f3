/** What happens to the server. */

import { durableWrites } from "../server/crash.ts";
import type { World } from "../world/world.ts";
import { chosen, type Action } from "./action.ts";

export const serverFaults: readonly Action[] = [
  { name: "server-kill", weight: 5, apply: kill },
  { name: "server-kill-at-write", weight: 10, apply: killAtWrite },
];

function kill(world: World): boolean {
  if (!world.server.isUp) return false;
  world.struck("server-killed", "at rest");
  world.happen(() => world.killServer());
  return true;
}

function killAtWrite(world: World): boolean {
  const write = chosen(durableWrites, world);
  if (!world.server.isUp || write === undefined) return false;
  world.server.plan.arm(write, world.random.below(2) === 0 ? "before" : "after");
  return true;
}
