/**
 * Why a step of a rotation is refused, for somebody who is woken up by it: what was expected, what is there, what to do. A
 * hint has clauses apart by "; ", and a command lasts to the end of its clause: it is to be pasted.
 */

import type { AuthorityRecord, NewAuthority, RetiredAuthority } from "./authority.ts";
import type { RotationRefusal } from "./rotation.ts";
import { authorityIn, type TrustState } from "./trust-state.ts";

const status = "portcullis root status";
/** Right at every step, and at any time. */
const goOn = "go on: portcullis root rotate --resume";
const takeBack = "withdraw it, when root status allows it: portcullis root abort";

/** An authority beside the active one is in the way. */
export function rotationInProgress(state: TrustState): RotationRefusal {
  const retiring = authorityIn(state, "retiring");
  const other = retiring ?? authorityIn(state, "prepared");
  return {
    code: "rotation-in-progress",
    message: `expected no rotation in progress, got ${other === undefined ? "one" : named(other)}`,
    hint:
      retiring === undefined
        ? `${goOn}; or ${takeBack}`
        : `${goOn}; or go back: portcullis root rollback`,
  };
}

export function nothingPrepared(state: TrustState, command: "activate" | "abort"): RotationRefusal {
  const isActivated = authorityIn(state, "retiring") !== undefined;
  const next = {
    activate: isActivated
      ? `it has been activated; ${goOn}`
      : "make the next authority: portcullis root prepare; or take yours: portcullis root prepare --from-dir DIR",
    abort: isActivated
      ? `the new authority signs already; go back first: portcullis root rollback; then ${takeBack}`
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
      ? "no rotation has begun; begin one: portcullis root prepare"
      : `what has been retired cannot come back, its key is destroyed: ${status}`;
  return {
    code: "nothing-to-roll-back",
    message: `expected a retiring authority to go back to, got ${listed(state)}`,
    hint: isPrepared ? `the prepared one does not sign; ${takeBack}` : alone,
  };
}

export function nothingToRetire(state: TrustState): RotationRefusal {
  const isPrepared = authorityIn(state, "prepared") !== undefined;
  return {
    code: "nothing-to-retire",
    message: `expected a retiring authority, got ${listed(state)}`,
    hint: isPrepared
      ? "first, and the one that signs now retires: portcullis root activate"
      : `begin a rotation: portcullis root prepare; what there is: ${status}`,
  };
}

export function nothingToConfirm(): RotationRefusal {
  return {
    code: "nothing-to-confirm",
    message: "expected a retired authority that somebody may trust still, got none",
    hint: status,
  };
}

/**
 * @param authority without a state while it is to be prepared
 * @param neededUntilMs how long its certificates must be good
 */
export function authorityExpiring(
  authority: NewAuthority & Partial<Pick<AuthorityRecord, "state">>,
  endsAtMs: number,
  neededUntilMs: number,
): RotationRefusal {
  return {
    code: "authority-expiring",
    message: `expected an authority that ends at ${time(neededUntilMs)} or later, got ${authority.id}, which ends at ${time(endsAtMs)}`,
    hint: expiringHint(authority.state),
  };
}

function expiringHint(state: AuthorityRecord["state"] | undefined): string {
  const lower = (setting: string): string =>
    `or lower ${setting} to what it can give, and reload (SIGHUP)`;
  // Whoever asks knows best where it came from.
  if (state === undefined) return `take one that lives longer; ${lower("certificates.maxTtl")}`;
  return state === "prepared"
    ? `prepare one that lives longer; before that ${takeBack}; ${lower("certificates.maxTtl")}, and then: portcullis root activate`
    : `${goOn}; ${lower("certificates.defaultTtl")}, and then: portcullis root rollback`;
}

/** Proved for one authority, and another would sign. */
export function trustChanged(provenId: string, { id }: AuthorityRecord): RotationRefusal {
  return {
    code: "trust-changed",
    message: `expected authority ${provenId} to sign next, got ${id}: another command was faster`,
    hint: `where it stands now: ${status}`,
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
    message: `expected a root and a signing key that are new here, got a key of authority ${id}, distrusted as compromised at ${time(atMs)}`,
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
        ? `which there are: ${status}`
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
    // Files of half a CA are refused, and the server goes by those that it has read.
    hint:
      "put all files of the authority that signs there, with a root-cert.pem that does not name this root; " +
      "or, where root status says store of its key, start the server without --ca-dir; " +
      `when the server has read them (SIGHUP): portcullis root ${command}`,
  };
}

/** Why the other authority cannot take the place of a leaked one. */
export type Unfit = { readonly endsAtMs: number } | "has a key of it" | "has no key here";

export function replacementNeeded(
  leaked: AuthorityRecord,
  other?: { readonly authority: AuthorityRecord; readonly unfit: Unfit },
): RotationRefusal {
  const beside =
    other === undefined
      ? " alone"
      : `; and ${named(other.authority)}, which ${unfitText(other.unfit)}`;
  return {
    code: "replacement-needed",
    message: `expected another authority to sign with, got ${named(leaked)}${beside}`,
    hint:
      `have a new root of the server's own sign: portcullis root compromise ${leaked.id} --key-type p256; ` +
      `or your CA: portcullis root compromise ${leaked.id} --from-dir DIR; ` +
      "where nothing has leaked, break nobody: portcullis root rotate",
  };
}

function unfitText(unfit: Unfit): string {
  return typeof unfit === "string" ? unfit : `ends at ${time(unfit.endsAtMs)}`;
}

export function stateTooLarge(length: number, max: number): RotationRefusal {
  return {
    code: "trust-state-too-large",
    message: `expected a trust state of at most ${max} characters, got ${length}; nothing has been changed`,
    hint:
      "an RSA-4096 certificate takes 2,000, one on P-256 600: portcullis root prepare --key-type p256; " +
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
