/** Everybody who shakes hands, as the watch sees them: each is made once, and reads what is now. */

import type { Agent } from "./agent.ts";
import type { Envoy } from "./envoy.ts";
import type { Stock } from "./stock.ts";
import { maskOf, type Leaf } from "./symbols.ts";
import type { Party } from "./watch.ts";
import type { World } from "./world.ts";

export function partiesOf(world: World): Party[] {
  const envoys = world.agents.flatMap((agent) => {
    return agent.workloads.flatMap((workload) => {
      return workload.envoys.map((envoy) => new EnvoyParty(agent, envoy));
    });
  });
  return [...envoys, ...world.stocks.map((stock) => new StockParty(world, stock))];
}

class EnvoyParty implements Party {
  readonly name: string;
  readonly #agent: Agent;
  readonly #envoy: Envoy;
  #isLive = false;

  constructor(agent: Agent, envoy: Envoy) {
    this.name = envoy.node.id;
    this.#agent = agent;
    this.#envoy = envoy;
  }

  get leaf(): Leaf | undefined {
    const { isAlive, leaf, isReady } = this.#envoy;
    const isValid = isAlive && isReady && leaf !== undefined;
    this.#isLive = isValid && !this.#agent.hasEnded(leaf) && (this.#isLive || this.#hasCaughtUp());
    return this.#isLive ? leaf : undefined;
  }

  /** A leaf that ends a time without one may overtake the bundle that came with it, on another stream. */
  #hasCaughtUp(): boolean {
    const { set, disk, world } = this.#agent;
    const { bundle } = set ?? disk.own ?? {};
    const held = bundle === undefined ? 0 : maskOf(bundle.roots);
    const { required } = world.watch;
    return (held & required) === required && this.#envoy.trusts(held);
  }

  get contexts(): Iterable<number> {
    return this.#envoy.trusted.values();
  }

  get isExcepted(): boolean {
    const envoy = this.#envoy;
    if (envoy.isForgotten && this.#hasCaughtUp()) envoy.isForgotten = false;
    return envoy.isExcepted || envoy.isForgotten || this.#agent.isExcepted;
  }
}

class StockParty implements Party {
  readonly name: string;
  readonly #world: World;
  readonly #stock: Stock;

  constructor(world: World, stock: Stock) {
    this.name = stock.identity;
    this.#world = world;
    this.#stock = stock;
  }

  get leaf(): Leaf | undefined {
    const { leaf } = this.#stock;
    return leaf !== undefined && this.#world.nowMs < leaf.notAfterMs ? leaf : undefined;
  }

  get contexts(): Iterable<number> {
    return [this.#stock.trusted];
  }

  get isExcepted(): boolean {
    return this.#stock.isExcepted;
  }
}
