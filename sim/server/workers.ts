/** Everything that a server does one step at a time. */

import { eagerOperator } from "../world/eager-operator.ts";
import { Task, type Worker } from "../world/pipe.ts";
import { rootNames } from "../world/symbols.ts";
import type { World } from "../world/world.ts";

export function serverWorkers(world: World): Worker[] {
  const { server, random } = world;
  const start = new Task(
    () => !server.isUp,
    () => {
      server.start();
      world.say?.(`the server starts with roots ${rootNames(server.bundleMask)}`);
    },
  );
  const { sessions, issuance, leaves, rotation, own } = server;
  const eager = eagerOperator(world, random.below(2) === 0);
  // Twice what would be too slow beside so many agents.
  return [
    sessions.notice,
    issuance,
    issuance,
    leaves,
    rotation,
    rotation,
    own.renewal,
    eager,
    start,
  ];
}
