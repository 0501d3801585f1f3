/**
 * What a witness makes of what the log's server shows it: the log that it knows has grown, or it is another one. Whoever
 * holds a checkpoint never exchanges it for one that does not begin with it, but for a restore that the log itself records.
 */

import { equalBytes } from "../bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { LogError } from "./log-error.ts";
import { verifyConsistency } from "./proof-check.ts";
import type { RestoredRange } from "./restored.ts";
import { openClaim, type LogClaim, type Restored, type Shown } from "./witness-claim.ts";

/** What is kept of the log: small, and enough to convict it. */
export interface WitnessState {
  /** Pinned at first contact. */
  readonly verifierKey: string;
  /** The newest checkpoint that was accepted, as it came. */
  readonly note: string;
  readonly checkpoint: Checkpoint;
  /** Log time of the newest `restored` event that was seen; -1 for none. It excuses nothing a second time. */
  readonly restoredMs: number;
  /** First contact, or the last restore: what was signed before need not be in this log. */
  readonly sinceMs: number;
}

export type LogAlarmKind =
  /** Another tree of the same log. */
  | "log-fork"
  /** Less than was there before. */
  | "log-rollback"
  | "log-key-changed"
  /** A certificate that the log does not have, or has otherwise. */
  | "log-leaf-missing"
  /** What was shown proves nothing. */
  | "log-invalid";

export interface LogAlarm {
  readonly kind: LogAlarmKind;
  /** For the operator; nothing of an unverified note is in it. */
  readonly message: string;
}

export type WitnessDecision =
  | {
      readonly kind: "accept";
      readonly state: WitnessState;
      /** The restore that it was accepted for. */
      readonly restored: RestoredRange | undefined;
    }
  | { readonly kind: "alarm"; readonly alarm: LogAlarm };

/**
 * @param held undefined at first contact: then the key is taken as it comes
 * @param origin of the log of the witness's trust domain
 */
export function decideWitness(
  held: WitnessState | undefined,
  claim: LogClaim,
  origin: string,
  nowMs: number,
): WitnessDecision {
  if (held !== undefined && held.verifierKey !== claim.verifierKey) {
    return alarmOf("log-key-changed", "the log is signed with another key than the pinned one");
  }
  let shown: Shown;
  try {
    shown = openClaim(claim, origin);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return alarmOf("log-invalid", error.message);
  }
  const { checkpoint, restored } = shown;
  const { verifierKey, note } = claim;
  const restoredMs = Math.max(held?.restoredMs ?? -1, restored?.timeMs ?? -1);
  const next = { verifierKey, note, checkpoint, restoredMs, sinceMs: held?.sinceMs ?? nowMs };
  if (held === undefined) return { kind: "accept", state: next, restored: undefined };
  const alarm = contradictionOf(held.checkpoint, claim, checkpoint);
  if (alarm === undefined) return { kind: "accept", state: next, restored: undefined };
  if (restored === undefined || !isExcusedBy(restored, held)) return { kind: "alarm", alarm };
  return { kind: "accept", state: { ...next, sinceMs: nowMs }, restored: restored.range };
}

function contradictionOf(
  held: Checkpoint,
  { fromSize, consistency }: LogClaim,
  shown: Checkpoint,
): LogAlarm | undefined {
  if (shown.size < held.size) {
    const message = `the log has ${shown.size} entries, and had ${held.size}`;
    return { kind: "log-rollback", message };
  }
  if (fromSize !== held.size) {
    const message = `expected a proof from ${held.size} entries on, got one from ${fromSize}`;
    return { kind: "log-fork", message };
  }
  try {
    verifyConsistency({
      oldSize: held.size,
      newSize: shown.size,
      oldRoot: held.root,
      newRoot: shown.root,
      proof: consistency,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    const sizes = `${shown.size} entries do not begin with the ${held.size} that were there`;
    return { kind: "log-fork", message: `${sizes}: ${error.message}` };
  }
}

/**
 * Only what the restore has lost: the held checkpoint lies in the range, and the event is new to this witness. An old one
 * must not excuse the next rollback. It is known by its time, because one backup can be restored twice.
 */
function isExcusedBy(
  { index, timeMs, range, lost }: Restored,
  { checkpoint, restoredMs }: WitnessState,
): boolean {
  if (range === undefined || lost?.size !== range.to) return false;
  const isLost = range.from < checkpoint.size && checkpoint.size <= range.to;
  const isNew = index >= range.from && timeMs > restoredMs;
  const isSameTree = checkpoint.size < lost.size || equalBytes(checkpoint.root, lost.root);
  return isLost && isNew && isSameTree;
}

function alarmOf(kind: LogAlarmKind, message: string): WitnessDecision {
  return { kind: "alarm", alarm: { kind, message } };
}
