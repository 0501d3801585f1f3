/** An operator goes on without the evidence of those whom a gate names: they are not held to the promise any more. */

import type { Laggard } from "../../src/core/roll/laggard.ts";
import { authorityIn } from "../../src/core/trust/trust-state.ts";
import type { World } from "../world/world.ts";
import { chosen, type Action } from "./action.ts";

export const waivers: readonly Action[] = [{ name: "waive", weight: 1, apply: waive }];

function waive(world: World): boolean {
  const { server, random } = world;
  if (!server.isUp || server.trust.authorities.length === 1) return false;
  const laggards = closedBy(world);
  const all = random.below(4) === 0 ? laggards : laggards.slice(0, 1);
  const names = all.flatMap(({ kind, name }) => (kind === "server" ? [] : name));
  if (names.length === 0) return false;
  world.say?.(`waived: ${names.join(" ")}`);
  world.happen(() => {
    // Before it is durable: the server may die of it.
    for (const name of names) except(world, name);
    server.waivers.add(names, world.nowMs + random.below(2 * world.lifeMs));
  });
  return true;
}

function closedBy(world: World): readonly Laggard[] {
  const { gates, trust } = world.server;
  const outgoing = authorityIn(trust, "retiring");
  const gate = outgoing === undefined ? gates.verifiers() : gates.holders(outgoing);
  if (gate.kind === "open") return [];
  const one = chosen(gate.laggards, world);
  return one === undefined ? [] : [one, ...gate.laggards];
}

/** Whoever the name means, and nobody else. */
function except(world: World, name: string): void {
  const { agents, stocks, exceptions, server } = world;
  exceptions.waived++;
  if (name.startsWith("leaf/")) {
    const serial = name.slice("leaf/".length);
    exceptions.waiveLeaf(serial);
    const leaf = server.log.leaves.find(({ serialHex }) => serialHex === serial);
    for (const stock of stocks) if (stock.identity === leaf?.identity) stock.isExcepted = true;
  }
  for (const agent of agents) {
    for (const { identity, envoys } of agent.workloads) {
      if (name === `agent/${agent.id}@${identity}`) agent.isExcepted = true;
      for (const envoy of envoys) {
        if (name === `proxy/${envoy.node.id}@${identity}`) envoy.isExcepted = true;
      }
    }
  }
}
