/** What a command must have done to the trust state, said a second time and in another way than the machine says it. */

import { authorityIn, bundleOf, type TrustState } from "../../src/core/trust/trust-state.ts";
import type { Order } from "../server/rotation.ts";
import { bitOf, maskOf, signerBit } from "./symbols.ts";
import { Violation } from "./violation.ts";
import type { World } from "./world.ts";

/** @throws Violation */
export function checkDecision(
  world: World,
  { kind }: Order,
  before: TrustState,
  after: TrustState,
): void {
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
    default:
  }
}

function expect(holds: boolean, command: string): void {
  if (!holds) throw new Violation(`${command} did not do what it says`);
}

/** No certificate that was signed, or perhaps signed, outlives its root: by the log alone, and by the server's clock. */
function checkHolders({ server, nowMs, exceptions }: World, before: TrustState, after: TrustState) {
  const gone = maskOf(bundleOf(before).roots) & ~maskOf(bundleOf(after).roots) & ~exceptions.roots;
  const waived = server.waivers.names();
  for (const { signer, notAfterMs, serialHex } of server.log.leaves) {
    const isUsable = (signerBit(signer) & gone) !== 0 && nowMs < notAfterMs;
    if (isUsable && !waived.has(`leaf/${serialHex}`)) {
      throw new Violation(`leaf ${serialHex} hangs on a root that was withdrawn`);
    }
  }
  for (const { root, state } of after.authorities) {
    expect((bitOf(root) & gone) === 0, `withdrawing one that is ${state}`);
  }
}
