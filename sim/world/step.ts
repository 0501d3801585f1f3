/** Where a rotation is: by the trust state, or in the middle of a command. */

import { authorityIn, unconfirmedRetired } from "../../src/core/trust/trust-state.ts";
import type { Step } from "../run/coverage.ts";
import type { World } from "./world.ts";

export function stepOf({ server, watch }: World): Step {
  const { trust, rotation } = server;
  if (rotation.isBetween) return "between";
  if (rotation.isBusy) return "ordered";
  if (authorityIn(trust, "retiring") !== undefined) return "retiring";
  const prepared = authorityIn(trust, "prepared");
  if (prepared !== undefined) return watch.hasSigned(prepared.id) ? "rolled-back" : "prepared";
  return unconfirmedRetired(trust).length > 0 ? "confirming" : "stable";
}
