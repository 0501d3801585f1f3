/** Why a step of a rotation is refused, for somebody who is woken up by it: what was expected, what is there, what to do. */

import type { AuthorityRecord, RetiredAuthority } from "./authority.ts";
import type { RotationRefusal } from "./rotation.ts";
import { authorityIn, type TrustState } from "./trust-state.ts";

const status = "portcullis root status";

/** An authority beside the active one is in the way. */
export function rotationInProgress(state: TrustState): RotationRefusal {
  const retiring = authorityIn(state, "retiring");
  const other = retiring ?? authorityIn(state, "prepared");
  return {
    code: "rotation-in-progress",
    message: `expected no rotation in progress, got ${other === undefined ? "one" : named(other)}`,
    hint:
      retiring === undefined
        ? "go on with portcullis root activate, or withdraw it with portcullis root abort"
        : "go on with portcullis root retire, or go back with portcullis root rollback",
  };
}

export function nothingPrepared(state: TrustState, command: "activate" | "abort"): RotationRefusal {
  const isActivated = authorityIn(state, "retiring") !== undefined;
  const next = {
    activate: isActivated
      ? "it has been activated: go on with portcullis root retire"
      : "portcullis root prepare makes the next authority, or takes yours with --from-dir",
    abort: isActivated
      ? "the new authority signs already: portcullis root rollback first, then portcullis root abort"
      : `there is nothing to withdraw: ${status}`,
  };
  return {
    code: "nothing-prepared",
    message: `expected a prepared authority, got ${listed(state)}`,
    hint: next[command],
  };
}

export function nothingToRollBack(state: TrustState): RotationRefusal {
  const isPrepared = authorityIn(state, "prepared") !== undefined;
  const alone =
    state.retired.length === 0
      ? "no rotation has begun: portcullis root prepare begins one"
      : `what has been retired cannot come back, its key is destroyed: ${status}`;
  return {
    code: "nothing-to-roll-back",
    message: `expected a retiring authority to go back to, got ${listed(state)}`,
    hint: isPrepared ? "the prepared one does not sign: portcullis root abort withdraws it" : alone,
  };
}

export function nothingToRetire(state: TrustState): RotationRefusal {
  const isPrepared = authorityIn(state, "prepared") !== undefined;
  return {
    code: "nothing-to-retire",
    message: `expected a retiring authority, got ${listed(state)}`,
    hint: isPrepared
      ? "portcullis root activate first: then the one that signs now retires"
      : `portcullis root prepare begins a rotation; what there is: ${status}`,
  };
}

export function nothingToConfirm(): RotationRefusal {
  return {
    code: "nothing-to-confirm",
    message: "expected a retired authority that somebody may trust still, got none",
    hint: status,
  };
}

/** @param neededMs how long its certificates must be good for */
export function authorityExpiring(
  authority: AuthorityRecord,
  endsAtMs: number,
  neededMs: number,
): RotationRefusal {
  const { id, state } = authority;
  const [command, setting, instead] =
    state === "prepared"
      ? [
          "activate",
          "certificates.maxTtl",
          "portcullis root abort and prepare one that lives longer",
        ]
      : ["rollback", "certificates.defaultTtl", "go on with portcullis root retire"];
  const hours = Math.ceil(neededMs / 3_600_000);
  return {
    code: "authority-expiring",
    message: `expected an authority that is good for ${hours} h more, got ${id}, which ends at ${time(endsAtMs)}`,
    hint:
      `${instead}; or lower ${setting} to what it can give, reload (SIGHUP), ` +
      `and portcullis root ${command}`,
  };
}

/** Proved for one authority, and another would sign. */
export function trustChanged(provenId: string, { id }: AuthorityRecord): RotationRefusal {
  return {
    code: "trust-changed",
    message: `expected authority ${provenId} to sign next, got ${id}: another command was faster`,
    hint: `${status} shows where it stands now`,
  };
}

export function authorityKnown(known: AuthorityRecord): RotationRefusal {
  return {
    code: "authority-known",
    message: `expected a root and a signing key that are new here, got those of ${named(known)}`,
    hint:
      "another intermediate under the same root needs no rotation: put it into the directory of --ca-dir; " +
      "a new root needs a signing key of its own",
  };
}

export function compromisedKnown({ id, atMs }: RetiredAuthority): RotationRefusal {
  return {
    code: "authority-known",
    message: `expected a root and a signing key that are new here, got those of authority ${id}, distrusted as compromised at ${time(atMs)}`,
    hint: "make a new root with a new key: portcullis root prepare",
  };
}

export function authorityUnknown(
  { retired, authorities }: TrustState,
  id: string,
): RotationRefusal {
  const gone = retired.find((each) => each.id === id);
  const ids = authorities.map((each) => each.id).join(", ");
  return {
    code: "authority-unknown",
    message:
      gone === undefined
        ? `expected one of the authorities ${ids}, got ${id}`
        : `expected one of the authorities ${ids}, got ${id}, withdrawn at ${time(gone.atMs)}`,
    hint:
      gone === undefined
        ? `${status} lists them`
        : `it is in no bundle any more; who holds an older one: ${status}`,
  };
}

export function rootInFiles(
  authority: AuthorityRecord,
  command: "retire" | "abort",
): RotationRefusal {
  return {
    code: "root-in-files",
    message: `expected a root that the directory of --ca-dir does not name, got that of ${named(authority)}`,
    hint: `take it out of root-cert.pem there, wait for the server to read it (or send SIGHUP), then portcullis root ${command}`,
  };
}

export function replacementNeeded(leaked: AuthorityRecord): RotationRefusal {
  return {
    code: "replacement-needed",
    message: `expected another authority to sign with, got ${named(leaked)} alone`,
    hint: `portcullis root compromise ${leaked.id} with --key-type TYPE or --from-dir DIR; where nothing has leaked, portcullis root rotate breaks nobody`,
  };
}

export function stateTooLarge(length: number, max: number): RotationRefusal {
  return {
    code: "trust-state-too-large",
    message: `expected a trust state of at most ${max} characters, got ${length}; nothing has been changed`,
    hint:
      "an RSA-4096 certificate takes 2,000, one on P-256 600: portcullis root prepare --key-type p256, " +
      "or fewer roots in root-cert.pem, or a shorter chain",
  };
}

function listed({ authorities }: TrustState): string {
  return authorities.map(named).join(" and ");
}

function named({ id, state, sinceMs }: AuthorityRecord): string {
  // An older version did not write the time down.
  return `authority ${id}, ${state}${sinceMs === 0 ? "" : ` since ${time(sinceMs)}`}`;
}

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
