/**
 * The rotation of roots: one pure function from a trust state, a command and the evidence of one moment to the next state.
 * A refusal changes nothing. Whoever carries it out stores the state first, under its epoch, and then does the effects.
 */

import { endsTooSoon } from "./authority-end.ts";
import { inState } from "./authority.ts";
import { knownAuthority, noRoomForAuthority, outgrown } from "./new-authority.ts";
import { nextTrust, type NextTrust } from "./next-trust.ts";
import { nothingPrepared, nothingToConfirm, nothingToRollBack } from "./rotation-refusals.ts";
import { verifiersLagging } from "./rotation-gate-refusals.ts";
import { compromise } from "./rotation-compromise.ts";
import { withdraw } from "./rotation-withdrawal.ts";
import type {
  NewAuthority,
  RotationCommand,
  RotationDecision,
  RotationEvidence,
  RotationRefusal,
} from "./rotation.ts";
import {
  activeAuthority,
  authorityIn,
  unconfirmedRetired,
  type AuthorityRecord,
  type TrustState,
} from "./trust-state.ts";

/** @throws TrustStateError `trust-state-invariant`: a fault of this program, and nothing has been changed */
export function decideRotation(
  state: TrustState,
  command: RotationCommand,
  evidence: RotationEvidence,
  nowMs: number,
): RotationDecision {
  const next = decide(state, command, evidence, nowMs);
  if ("code" in next) return { kind: "refused", refusal: next };
  return { kind: "done", state: next.state, effects: next.effects };
}

function decide(
  state: TrustState,
  command: RotationCommand,
  evidence: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  switch (command.kind) {
    case "prepare":
      return prepare(state, command.authority, evidence, nowMs);
    case "activate":
      return activate(state, evidence, nowMs);
    case "rollback":
      return rollBack(state, evidence, nowMs);
    case "retire":
      return withdraw(state, "retiring", evidence, nowMs);
    case "abort":
      return withdraw(state, "prepared", evidence, nowMs);
    case "compromise":
      return compromise(state, command, evidence, nowMs);
    case "confirm":
      return confirm(state, evidence);
    default:
      return command satisfies never;
  }
}

/** One that could not be activated is not published either. */
function prepare(
  state: TrustState,
  authority: NewAuthority,
  evidence: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  const unwanted = noRoomForAuthority(state) ?? knownAuthority(state, authority, evidence.keyIdOf);
  if (unwanted !== undefined) return unwanted;
  const expiring = endsTooSoon(authority, evidence, evidence.lifeMs.longest, nowMs);
  if (expiring !== undefined) return expiring;
  const authorities = [...state.authorities, inState(authority, "prepared", nowMs)];
  const next = nextTrust(state, { authorities });
  return outgrown(next.state) ?? next;
}

function activate(
  state: TrustState,
  evidence: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  const { verifiers, lifeMs } = evidence;
  const prepared = authorityIn(state, "prepared");
  if (prepared === undefined) return nothingPrepared(state, "activate");
  const expiring = endsTooSoon(prepared, evidence, lifeMs.longest, nowMs);
  if (expiring !== undefined) return expiring;
  const gate = verifiers("activate");
  if (gate.kind === "closed") return verifiersLagging("activate", gate);
  const outgoing = inState(activeAuthority(state), "retiring", nowMs);
  return signWith(state, inState(prepared, "active", nowMs), outgoing);
}

/**
 * Both are trusted: no gate. What came by files and was taken back goes on by an operator only. One whose end is the reason
 * of the rotation can sign for a while: it is refused where it cannot give what most ask for.
 */
function rollBack(
  state: TrustState,
  evidence: RotationEvidence,
  nowMs: number,
): NextTrust | RotationRefusal {
  const retiring = authorityIn(state, "retiring");
  if (retiring === undefined) return nothingToRollBack(state);
  const expiring = endsTooSoon(retiring, evidence, evidence.lifeMs.usual, nowMs);
  if (expiring !== undefined) return expiring;
  const outgoing = inState({ ...activeAuthority(state), auto: false }, "prepared", nowMs);
  return signWith(state, inState(retiring, "active", nowMs), outgoing);
}

function signWith(
  state: TrustState,
  active: AuthorityRecord,
  outgoing: AuthorityRecord,
): NextTrust {
  return nextTrust(state, { authorities: [active, outgoing] }, { isReissued: true });
}

/** The list stays: an old file must not bring back what has been retired. */
function confirm(state: TrustState, { verifiers }: RotationEvidence): NextTrust | RotationRefusal {
  if (unconfirmedRetired(state).length === 0) return nothingToConfirm();
  const gate = verifiers("confirm");
  if (gate.kind === "closed") return verifiersLagging("confirm", gate);
  const retired = state.retired.map((each) => Object.freeze({ ...each, confirmed: true }));
  return nextTrust(state, { retired });
}
