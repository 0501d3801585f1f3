/** What refuses a command whatever its gate says: known at any time, so told before anybody is waited for or waived. */

import type { Gate } from "../roll/laggard.ts";
import { decideRotation } from "./rotation-machine.ts";
import type { RotationCommand, RotationEvidence, RotationRefusal } from "./rotation.ts";
import type { TrustState } from "./trust-state.ts";

const open: Gate = {
  kind: "open",
  evidence: { total: 0, confirmed: 0, weak: 0, waived: 0 },
};

/**
 * @param absent what the state that would follow needs and is not there
 * @throws TrustStateError `trust-state-invariant`
 */
export function hindranceOf(
  state: TrustState,
  command: RotationCommand,
  evidence: RotationEvidence,
  nowMs: number,
  absent: (next: TrustState) => RotationRefusal | undefined,
): RotationRefusal | undefined {
  const opened = { ...evidence, verifiers: () => open, holders: () => open };
  const decision = decideRotation(state, command, opened, nowMs);
  return decision.kind === "refused" ? decision.refusal : absent(decision.state);
}
