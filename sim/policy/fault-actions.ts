/** What goes wrong. */

import { chosen } from "../run/world-schedule.ts";
import type { PolicyAction } from "./action.ts";

export const faultActions: readonly PolicyAction[] = [
  {
    name: "cut",
    weight: 4,
    apply(world) {
      const stream = chosen(world, world.server?.streams ?? []);
      if (stream !== undefined) world.cut(stream);
    },
  },
  {
    name: "kill the server",
    weight: 3,
    apply: (world) => world.killServer(),
  },
  {
    name: "kill an agent",
    weight: 3,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent === undefined || !agent.isAlive) return;
      if (agent.stream !== undefined) world.cut(agent.stream);
      agent.kill();
    },
  },
  {
    name: "restart an Envoy",
    weight: 2,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent === undefined || world.gone.has(agent.key)) return;
      agent.envoy.restart();
      if (agent.isAlive) agent.envoyStarted();
    },
  },
  {
    name: "freeze an Envoy",
    weight: 3,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent !== undefined) agent.envoy.isFrozen = !agent.envoy.isFrozen;
    },
  },
  {
    name: "refuse",
    weight: 4,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent !== undefined) agent.envoy.refusesNext = true;
    },
  },
  {
    name: "replace a pod",
    weight: 1,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent === undefined || world.gone.has(agent.key)) return;
      if (agent.stream !== undefined) world.cut(agent.stream);
      agent.replace();
    },
  },
  {
    name: "end a pod",
    weight: 1,
    apply(world) {
      const agent = chosen(world, world.agents);
      if (agent === undefined || world.there.length < 2 || world.gone.has(agent.key)) return;
      if (agent.stream !== undefined) world.cut(agent.stream);
      agent.kill();
      agent.envoy.restart();
      world.gone.add(agent.key);
    },
  },
];
