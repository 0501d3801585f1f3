/** Schedules of a simulated mesh in which targets go strict. */

import { WorldSchedules } from "../run/world-schedule.ts";
import { faultActions } from "./fault-actions.ts";
import { flipActions } from "./flip-actions.ts";
import { objectActions } from "./object-actions.ts";
import { passingActions } from "./passing-actions.ts";
import { FlipWorld } from "./world.ts";

export const flipSchedules: WorldSchedules<FlipWorld> = new WorldSchedules({
  create: (random) => new FlipWorld(random),
  actions: [...passingActions, ...flipActions, ...objectActions, ...faultActions],
  indispensable: new Set([
    "a moment",
    "a while",
    "quiet",
    "flip",
    "start the server",
    "start agents",
  ]),
  choices: 44,
});
