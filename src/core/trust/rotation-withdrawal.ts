/** The steps of a rotation that end trust through a gate: retire and abort. */

import { hasBytes } from "../bytes.ts";
import { nextTrust, withRetired, type NextTrust } from "./next-trust.ts";
import { holdersLeft } from "./rotation-gate-refusals.ts";
import { nothingPrepared, nothingToRetire, rootInFiles } from "./rotation-refusals.ts";
import type { RotationEvidence, RotationRefusal } from "./rotation.ts";
import { authorityIn, type TrustState } from "./trust-state.ts";

/** Of one that is not active: its root leaves the bundle, if nothing hangs on it. */
export function withdraw(
  state: TrustState,
  step: "prepared" | "retiring",
  { holders, filedRoots }: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  const command = step === "prepared" ? "abort" : "retire";
  const authority = authorityIn(state, step);
  if (authority === undefined) {
    return step === "prepared" ? nothingPrepared(state, "abort") : nothingToRetire(state);
  }
  if (hasBytes(filedRoots, authority.root)) return rootInFiles(authority, command);
  const gate = holders(authority);
  if (gate.kind === "closed") return holdersLeft(authority, command, gate);
  const change = {
    authorities: state.authorities.filter((each) => each !== authority),
    retired: withRetired(state.retired, authority, nowMs),
  };
  const departure = { kind: "gate", root: authority.root, holders: gate } as const;
  return nextTrust(state, change, { departure });
}
