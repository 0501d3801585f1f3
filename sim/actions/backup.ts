/**
 * A backup of the trust state, and its return: bundles of one sequence may then differ. Only while nothing was signed since for a root
 * that the backup does not know: what comes of a log that has lost certificates is waited for elsewhere (`lostUntilMs`).
 */

import { bundleOf, unconfirmedRetired } from "../../src/core/trust/trust-state.ts";
import { bitOfDigest, maskOf, rootNames } from "../world/symbols.ts";
import type { World } from "../world/world.ts";
import type { Action } from "./action.ts";

export const backup: readonly Action[] = [
  { name: "back-up", weight: 14, apply: backUp },
  { name: "restore", weight: 14, apply: restore },
];

function backUp(world: World): boolean {
  world.server.durable.backUp();
  return true;
}

function restore(world: World): boolean {
  const { server } = world;
  const { log, durable } = server;
  const { saved } = durable;
  if (saved === undefined || server.rotation.isBetween) return false;
  if (saved.trust.epoch >= server.trust.epoch) return false;
  const mask = maskOf(bundleOf(saved.trust).roots);
  const isKnown = log.leaves.every(({ root }) => (bitOfDigest(root) & mask) !== 0);
  if (!isKnown || unconfirmedRetired(server.trust).length > 0) return false;
  world.struck("server-restored", `with roots ${rootNames(mask)}`);
  world.happen(() => {
    if (server.isUp) world.killServer();
    durable.restore(saved, world.nowMs + world.lifeMs);
  });
  return true;
}
