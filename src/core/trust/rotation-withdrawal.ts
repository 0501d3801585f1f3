/** The steps of a rotation that end trust: retire and abort through a gate, compromise at once. */

import { hasBytes } from "../bytes.ts";
import { knownAuthority, outgrown } from "./new-authority.ts";
import { inState, nextTrust, withoutRoot, withRetired, type NextTrust } from "./next-trust.ts";
import { holdersLeft } from "./rotation-gate-refusals.ts";
import type { Departure } from "./rotation-invariants.ts";
import {
  authorityUnknown,
  nothingPrepared,
  nothingToRetire,
  replacementNeeded,
  rootInFiles,
} from "./rotation-refusals.ts";
import type { RotationCommand, RotationEvidence, RotationRefusal } from "./rotation.ts";
import { authorityIn, type AuthorityRecord, type TrustState } from "./trust-state.ts";

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
  return without(state, authority, nowMs, { kind: "gate", holders: gate });
}

function without(
  state: TrustState,
  authority: AuthorityRecord,
  nowMs: number,
  departure: Departure,
  authorities: readonly AuthorityRecord[] = state.authorities.filter((each) => each !== authority),
): NextTrust {
  const isCompromised = departure.kind === "compromise";
  const change = {
    authorities,
    retired: withRetired(state.retired, authority, nowMs, isCompromised),
    otherRoots: withoutRoot(state.otherRoots, authority.root),
  };
  return nextTrust(state, change, { departure, isReissued: isCompromised });
}

/** At once, whatever it breaks: everything that hangs on it is renewed. */
export function compromise(
  state: TrustState,
  { authorityId, replacement, keylessId }: Extract<RotationCommand, { kind: "compromise" }>,
  nowMs: number,
): NextTrust | RotationRefusal {
  const leaked = state.authorities.find(({ id }) => id === authorityId);
  if (leaked === undefined) return authorityUnknown(state, authorityId);
  const departure: Departure = { kind: "compromise" };
  if (leaked.state !== "active") return without(state, leaked, nowMs, departure);
  const others = state.authorities.filter((each) => each !== leaked);
  const trusted = others.find(({ id }) => id !== keylessId);
  if (trusted !== undefined) {
    return without(state, leaked, nowMs, departure, [inState(trusted, "active", nowMs)]);
  }
  if (replacement === undefined) return replacementNeeded(leaked);
  const known = knownAuthority(state, replacement);
  if (known !== undefined) return known;
  const active = inState(replacement, "active", nowMs);
  const next = without(state, leaked, nowMs, departure, [active, ...others]);
  return outgrown(next.state) ?? next;
}
