/** `--dry-run` with `--waive`: what would be said if those were passed over. What is asked behind the gate is asked for real only. */

import type { RefusedValue, ChangeValue } from "./root-change-value.ts";
import { isGate } from "./root-judgement.ts";
import { allLaggards, statusFor } from "./root-refused-text.ts";
import type { ServerTarget } from "./server-target.ts";

export async function withoutWaived(
  value: ChangeValue,
  names: ReadonlySet<string>,
  target: ServerTarget,
): Promise<ChangeValue> {
  if (!("refused" in value) || names.size === 0 || !isGate(value.refused.code)) return value;
  const status = await statusFor(value.refused, target);
  const refused = withoutNames(value.refused, allLaggards(value.refused, status), names);
  if (refused !== undefined) return { ...value, refused };
  const lines = ["with these waivers nobody stands in the way of it"];
  return { dryRun: true, done: { lines, next: [], csr: "", epoch: status?.epoch ?? 0 } };
}

/** @returns undefined where nobody is left */
function withoutNames(
  refused: RefusedValue,
  all: RefusedValue["laggards"],
  names: ReadonlySet<string>,
): RefusedValue | undefined {
  const laggards = all.filter(({ name }) => !names.has(name));
  const lagging = refused.lagging - (all.length - laggards.length);
  if (lagging <= 0) return undefined;
  const message = `expected nobody in the way but those waivers, got ${lagging} more`;
  // Of the rest the server has not said when it ends.
  return { ...refused, message, lagging, laggards, opensAt: "" };
}
