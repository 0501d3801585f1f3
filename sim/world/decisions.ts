/** What a command must have done to the trust state, said a second time and in another way than the machine says it. */

import {
  activeAuthority,
  authorityIn,
  bundleOf,
  type TrustState,
} from "../../src/core/trust/trust-state.ts";
import type { Order } from "../server/rotation.ts";
import { knownEnvoys } from "./gaps.ts";
import { bitOf, bitOfDigest, maskOf, rootNames } from "./symbols.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** @throws Violation */
export function checkDecision(
  world: World,
  order: Order,
  before: TrustState,
  after: TrustState,
): void {
  const { kind } = order;
  checkEnd(world, before, after);
  const was = {
    prepared: authorityIn(before, "prepared")?.id,
    active: authorityIn(before, "active")?.id,
    retiring: authorityIn(before, "retiring")?.id,
  };
  const is = (state: "prepared" | "active" | "retiring") => authorityIn(after, state)?.id;
  switch (kind) {
    case "activate":
      expect(is("active") === was.prepared && is("retiring") === was.active, kind);
      return;
    case "rollback":
      expect(is("active") === was.retiring && is("prepared") === was.active, kind);
      return;
    case "retire":
      expect(is("active") === was.active && is("retiring") === undefined, kind);
      return checkHolders(world, before, after);
    case "abort":
      expect(is("active") === was.active && is("prepared") === undefined, kind);
      return checkHolders(world, before, after);
    case "confirm":
      return checkNobodyTrusts(world, after);
    case "compromise":
      return expect(
        after.authorities.every((each) => each.id !== order.authorityId),
        kind,
      );
    case "files":
    case "prepare":
  }
}

/** Whoever takes another's place can sign what most ask for. What an operator brings instead is the operator's to know. */
function checkEnd(world: World, before: TrustState, after: TrustState): void {
  const { id, root } = activeAuthority(after);
  const was = before.authorities.find((each) => each.id === id)?.state;
  if (was === undefined || was === "active") return;
  expect(world.nowMs + world.lifeMs <= world.endsAtMs(root), "signing with one that ends too soon");
}

function expect(holds: boolean, command: string): void {
  if (!holds) throw new Violation(`${command} did not do what it says`);
}

/** What has been retired; but a leaf that came back may bring an Envoy with an old bundle back, until it has caught up. */
function checkNobodyTrusts(world: World, { retired }: TrustState): void {
  const { bundleMask } = world.server;
  expect(
    retired.every(({ confirmed }) => confirmed),
    "confirm",
  );
  for (const { envoy, agent } of knownEnvoys(world)) {
    // What its agent has taken away already is on its way.
    const held = agent.set === undefined ? -1 : maskOf(agent.set.bundle.roots);
    for (const mask of envoy.trusted.values()) {
      if ((mask & ~bundleMask & held) === 0) continue;
      const roots = rootNames(mask);
      throw new Violation(`${envoy.node.id} trusts ${roots} when everybody is said not to`);
    }
  }
}

/** No certificate that was signed, or perhaps signed, outlives its root: by the log alone, and by the server's clock. */
function checkHolders({ server, nowMs, exceptions }: World, before: TrustState, after: TrustState) {
  const gone = maskOf(bundleOf(before).roots) & ~maskOf(bundleOf(after).roots) & ~exceptions.roots;
  const waived = server.waivers.names();
  for (const { root, notAfterMs, serialHex } of server.log.leaves) {
    const isUsable = (bitOfDigest(root) & gone) !== 0 && nowMs < notAfterMs;
    if (isUsable && !waived.has(`leaf/${serialHex}`)) {
      throw new Violation(`leaf ${serialHex} hangs on a root that was withdrawn`);
    }
  }
  for (const { root, state } of after.authorities) {
    expect((bitOf(root) & gone) === 0, `withdrawing one that is ${state}`);
  }
}
