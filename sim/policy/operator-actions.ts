/** What an operator changes. */

import { chosen } from "../run/world-schedule.ts";
import type { PolicyAction } from "./action.ts";
import { modes, ports, rules } from "./config.ts";

export const operatorActions: readonly PolicyAction[] = [
  {
    name: "mode of a port",
    weight: 10,
    apply(world) {
      const mode = chosen(world, modes);
      const port = chosen(world, ports);
      const proxy = chosen(world, world.there);
      if (mode === undefined || port === undefined || proxy === undefined) return;
      world.say(`${proxy.address}:${port} is to be ${mode}`);
      proxy.modes.set(port, mode);
      world.configure();
    },
  },
  {
    name: "mode of all",
    weight: 3,
    apply(world) {
      const mode = chosen(world, modes);
      if (mode === undefined) return;
      world.say(`all are to be ${mode}`);
      for (const proxy of world.there) for (const port of ports) proxy.modes.set(port, mode);
      world.configure();
    },
  },
  {
    name: "rule of a client",
    weight: 6,
    apply(world) {
      const host = chosen(
        world,
        world.there.flatMap(({ calls }) => calls),
      );
      const socket = chosen(world, host?.sockets ?? []);
      const rule = chosen(world, rules);
      if (socket === undefined || rule === undefined) return;
      socket.rule = rule;
      world.configure();
    },
  },
  {
    name: "endpoint",
    weight: 4,
    apply(world) {
      const host = chosen(
        world,
        world.there.flatMap(({ calls }) => calls),
      );
      const socket = chosen(world, host?.sockets ?? []);
      if (socket === undefined || host === undefined) return;
      if (world.random.below(3) === 0) host.isThere = !host.isThere;
      else socket.isThere = !socket.isThere;
      world.configure();
    },
  },
  {
    name: "names",
    weight: 2,
    apply(world) {
      const host = chosen(
        world,
        world.there.flatMap(({ calls }) => calls),
      );
      if (host === undefined) return;
      host.san++;
      world.configure();
    },
  },
  {
    name: "move",
    weight: 3,
    apply(world) {
      const movable = world.there.filter(({ hasListeners }) => hasListeners);
      const proxy = chosen(world, movable);
      const next = proxy?.addresses.find((each) => each !== proxy.address);
      if (proxy === undefined || next === undefined) return;
      world.say(`${proxy.key} is to move from ${proxy.address} to ${next}`);
      proxy.address = next;
      world.configure();
    },
  },
  {
    name: "listener",
    weight: 2,
    apply(world) {
      const proxy = chosen(world, world.there);
      const port = chosen(world, ports);
      if (proxy === undefined || port === undefined) return;
      if (!proxy.listens.delete(port)) proxy.listens.add(port);
      world.configure();
    },
  },
];
