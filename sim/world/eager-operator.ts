/** An operator who goes on at the first moment at which a gate lets him: whatever opens too early is found by it. */

import type { RotationCommand } from "../../src/core/trust/rotation.ts";
import {
  authorityIn,
  unconfirmedRetired,
  type TrustState,
} from "../../src/core/trust/trust-state.ts";
import { Task } from "./pipe.ts";
import type { World } from "./world.ts";

/** A refusal costs more than most events. */
const eventsBetween = 4;

export function eagerOperator(world: World, isThere: boolean): Task {
  let nextTry = 0;
  return new Task(
    () => {
      const { server, events } = world;
      if (!isThere || events < nextTry || !server.isUp || server.rotation.isBusy) return false;
      return goingOn(server.trust) !== undefined;
    },
    () => {
      const command = goingOn(world.server.trust);
      if (command !== undefined) world.server.rotation.order(command);
      nextTry = world.events + eventsBetween;
    },
  );
}

/** With a rotation that has begun. */
export function goingOn(trust: TrustState): RotationCommand | undefined {
  if (authorityIn(trust, "prepared") !== undefined) return { kind: "activate" };
  if (authorityIn(trust, "retiring") !== undefined) return { kind: "retire" };
  return unconfirmedRetired(trust).length > 0 ? { kind: "confirm" } : undefined;
}
