/** What operators may order, at any time, sensible or not; and what the server does by itself each second. */

import type { RotationCommand } from "../../src/core/trust/rotation.ts";
import type { Order } from "../server/rotation.ts";
import { goingOn } from "../world/eager-operator.ts";
import { bitOf, indexOf, newAuthority, rootAt, rootsMax, signerId } from "../world/symbols.ts";
import type { World } from "../world/world.ts";
import { chosen, type Action } from "./action.ts";

export const operator: readonly Action[] = [
  { name: "go-on", weight: 24, apply: (world) => ordered(world, nextCommand(world)) },
  { name: "prepare", weight: 2, apply: (world) => ordered(world, preparation(world)) },
  { name: "activate", weight: 3, apply: (world) => order(world, { kind: "activate" }) },
  { name: "rollback", weight: 5, apply: (world) => order(world, { kind: "rollback" }) },
  { name: "retire", weight: 3, apply: (world) => order(world, { kind: "retire" }) },
  { name: "abort", weight: 2, apply: (world) => order(world, { kind: "abort" }) },
  { name: "confirm", weight: 2, apply: (world) => order(world, { kind: "confirm" }) },
  { name: "compromise", weight: 1, apply: compromise },
  { name: "files", weight: 3, apply: bringFiles },
  { name: "unplug", weight: 3, apply: unplug },
  { name: "reissue", weight: 8, apply: reissue },
];

/** Other intermediates under a root that is known, or another root; with a foreign root to trust besides, or without. */
function bringFiles(world: World): boolean {
  const { server, random } = world;
  if (server.rotation.isBusy || !world.hasRoots) return false;
  const isNew = random.below(4) === 0;
  const known = chosen(server.trust.authorities, world);
  const index = isNew || known === undefined ? ++world.newest : (known.root[0] ?? 0);
  const id = signerId(index, random.below(4));
  const root = rootAt(index);
  const roots = random.below(3) === 0 ? [root, rootAt(rootsMax - 1)] : [root];
  const chain = [Uint8Array.from(Buffer.from(id))];
  return order(world, { kind: "files", plugged: { id, chain, root, roots } });
}

function unplug(world: World): boolean {
  world.server.filedRoots = [];
  return true;
}

function order(world: World, command: Order): boolean {
  return world.server.rotation.order(command);
}

function ordered(world: World, command: RotationCommand | undefined): boolean {
  return command !== undefined && order(world, command);
}

/** The way of a rotation that ends well. */
function nextCommand(world: World): RotationCommand | undefined {
  return goingOn(world.server.trust) ?? preparation(world);
}

/** Now and then one that has been withdrawn before: its root makes a bundle that was there already. */
function again(world: World): RotationCommand | undefined {
  const { trust } = world.server;
  const withdrawn = chosen(
    trust.retired.filter(({ compromised }) => !compromised),
    world,
  );
  if (withdrawn === undefined) return undefined;
  return { kind: "prepare", authority: newAuthority(indexOf(withdrawn.id), "store") };
}

/** The number is taken whether the command is refused or not. */
function preparation(world: World): RotationCommand | undefined {
  if (!world.hasRoots || world.server.rotation.isBusy) return undefined;
  const known = world.random.below(3) === 0 ? again(world) : undefined;
  if (known !== undefined) return known;
  return { kind: "prepare", authority: newAuthority(++world.newest, "store") };
}

function compromise(world: World): boolean {
  const leaked = chosen(world.server.trust.authorities, world);
  if (leaked === undefined || !world.hasRoots || world.server.rotation.isBusy) return false;
  const replacement = newAuthority(++world.newest, "store");
  return order(world, { kind: "compromise", authorityId: leaked.id, replacement });
}

/** Of the connected certificates that another authority has signed. */
function reissue(world: World): boolean {
  const { server } = world;
  if (!server.isUp) return false;
  const present = bitOf(server.issuing.authority.root);
  let count = 0;
  for (const session of server.sessions.speaking()) {
    if (session.leaf.rootBit === present) continue;
    server.sessions.askToRenew(session);
    count++;
  }
  return count > 0;
}
