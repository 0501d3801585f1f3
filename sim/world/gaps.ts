/**
 * Gaps that are known, and that no gate can see: docs/simulator.md tells of them. Who falls into one is not held to the promise until
 * he has caught up, and is counted. Where production closes one, its exception goes.
 */

import { ownerOf, type RollEntry } from "../../src/core/roll/roll-entry.ts";
import type { Envoy } from "./envoy.ts";
import type { Placed, World } from "./world.ts";

/** When an activation rests on these roots: nobody can wait for an Envoy of which nothing, or half, is known. */
export function exceptForgotten(world: World, required: number): void {
  const entries = world.server.roll.entries();
  for (const { envoy, identity } of world.envoys()) {
    if (envoy.trusts(required) || !isForgotten(envoy, identity, entries)) continue;
    envoy.isForgotten = true;
    world.exceptions.forgotten++;
  }
}

/** Live, and whole in the roll; what was waived is not among them. */
export function knownEnvoys(world: World): Placed[] {
  const entries = world.server.roll.entries();
  return [...world.envoys()].filter(({ envoy, identity, agent }) => {
    const { leaf, isAlive, isExcepted } = envoy;
    if (!isAlive || leaf === undefined || agent.hasEnded(leaf)) return false;
    if (isExcepted || agent.isExcepted || envoy.isForgotten) return false;
    return !isForgotten(envoy, identity, entries);
  });
}

/** The roll has no entry, or one that lacks a context, or the certificate that it holds. */
function isForgotten(envoy: Envoy, identity: string, entries: readonly RollEntry[]): boolean {
  const entry = entries.find((each) => {
    return each.evidence.proxyId === envoy.node.id && ownerOf(each) === identity;
  });
  const { subscriptions = [] } = entry?.evidence ?? {};
  const names = new Set(subscriptions.map(({ resourceName }) => resourceName));
  const serials = new Set(subscriptions.map(({ acked }) => acked?.certificate?.serialHex));
  const isKnown = entry?.connected === true || serials.has(envoy.leaf?.serial);
  return !isKnown || ![...envoy.trusted.keys()].every((name) => names.has(name));
}
