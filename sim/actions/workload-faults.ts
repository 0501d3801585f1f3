/** What happens to Envoys and to stock clients. */

import type { Envoy } from "../world/envoy.ts";
import type { Stock } from "../world/stock.ts";
import type { World } from "../world/world.ts";
import { chosen, type Action } from "./action.ts";

export const workloadFaults: readonly Action[] = [
  { name: "envoy-start", weight: 12, apply: (world) => someEnvoy(world, start) },
  { name: "envoy-kill", weight: 3, apply: (world) => someEnvoy(world, kill) },
  { name: "envoy-freeze", weight: 4, apply: (world) => someEnvoy(world, freeze) },
  { name: "envoy-stall", weight: 5, apply: (world) => someEnvoy(world, stall) },
  { name: "envoy-refuse", weight: 3, apply: (world) => someEnvoy(world, refuse) },
  { name: "sds-reopen", weight: 4, apply: (world) => someEnvoy(world, reopen) },
  { name: "stock-kill", weight: 3, apply: (world) => someStock(world, killStock) },
  { name: "stock-cut", weight: 4, apply: (world) => someStock(world, cutStock) },
  { name: "stock-lose", weight: 1, apply: (world) => someStock(world, loseCall) },
  { name: "stock-heal", weight: 4, apply: (world) => someStock(world, healStock) },
];

function someEnvoy(world: World, change: (envoy: Envoy, world: World) => boolean): boolean {
  const agent = chosen(world.agents, world);
  const workload = agent && chosen(agent.workloads, world);
  const envoy = workload && chosen(workload.envoys, world);
  if (envoy === undefined) return false;
  let applied = false;
  world.happen(() => (applied = change(envoy, world)));
  return applied;
}

function start(envoy: Envoy): boolean {
  if (envoy.isAlive) return false;
  envoy.start();
  return true;
}

function kill(envoy: Envoy, world: World): boolean {
  if (!envoy.isAlive) return false;
  world.struck("envoy-killed", envoy.node.id);
  envoy.kill();
  return true;
}

function freeze(envoy: Envoy, world: World): boolean {
  if (!envoy.isAlive || envoy.isFrozen) return false;
  world.struck("envoy-frozen", envoy.node.id);
  envoy.isFrozen = true;
  return true;
}

function stall(envoy: Envoy, world: World): boolean {
  if (!envoy.isAlive) return false;
  world.struck("envoy-stalled", envoy.node.id);
  envoy.isFrozen = false;
  envoy.isAboutToStall = true;
  return true;
}

function refuse(envoy: Envoy, world: World): boolean {
  if (!envoy.isAlive) return false;
  world.struck("secret-refused", envoy.node.id);
  envoy.refusals = 1 + world.random.below(2);
  return true;
}

function reopen(envoy: Envoy, world: World): boolean {
  const stream = chosen(envoy.streams, world);
  if (stream?.isOpen !== true) return false;
  world.struck("sds-reopened", envoy.node.id);
  stream.end();
  return true;
}

function someStock(world: World, change: (stock: Stock, world: World) => boolean): boolean {
  const stock = chosen(world.stocks, world);
  if (stock === undefined) return false;
  let applied = false;
  world.happen(() => (applied = change(stock, world)));
  return applied;
}

function killStock(stock: Stock, world: World): boolean {
  if (!stock.isAlive) return false;
  world.struck("stock-killed", stock.identity);
  stock.kill();
  return true;
}

function cutStock(stock: Stock, world: World): boolean {
  if (stock.isCut) return false;
  world.struck("stock-cut", stock.identity);
  stock.isCut = true;
  return true;
}

function loseCall(stock: Stock, world: World): boolean {
  if (!stock.client.isWaiting) return false;
  world.struck("call-lost", stock.identity);
  return stock.client.drop();
}

function healStock(stock: Stock): boolean {
  stock.isCut = false;
  stock.isAlive = true;
  return true;
}
