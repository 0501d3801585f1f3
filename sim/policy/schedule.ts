/** Schedules of a simulated mesh under policy. */

import { WorldSchedules } from "../run/world-schedule.ts";
import { policyActions } from "./actions.ts";
import { PolicyWorld } from "./world.ts";

export const policySchedules: WorldSchedules<PolicyWorld> = new WorldSchedules({
  create: (random) => new PolicyWorld(random),
  actions: policyActions,
  indispensable: new Set(["steps", "connect", "mode of a port"]),
  choices: 40,
});
