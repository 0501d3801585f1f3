/**
 * The first start after a restore. Agents may know more of the log than the backup has: what they know is gathered for a
 * while, and then the log records which of its entries are lost. Only then anything is signed for workloads, and only then
 * agents are shown the log again: without that record they would take it for a rollback.
 */

import type { Entry, EventEntry } from "../log/entry.ts";
import { openCheckpoint, type Checkpoint } from "../log/checkpoint.ts";
import { LogError } from "../log/log-error.ts";
import type { NoteVerifier } from "../log/note-key.ts";
import { encodeRestored, parseRestored } from "../log/restored.ts";
import { BackupError } from "./backup-error.ts";
import type { RestoreMarker } from "./restore-marker.ts";

/** A checkpoint whose signature was verified, and the note that it is from. */
export interface KnownCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: string;
}

export interface RestoredState {
  readonly marker: RestoreMarker;
  /** Of the backup: what comes from its size on is lost. */
  readonly backup: KnownCheckpoint;
  /** The newest that is known of the lost log; the backup's own if nothing newer is. */
  readonly newest: KnownCheckpoint;
}

/** The record must fit into an entry of the log. */
const NOTE_BYTES_MAX = 3_072;

/** @throws LogError unless both notes of the marker are of this log; BackupError `restore-checkpoint-unusable` */
export function restoredState(marker: RestoreMarker, verifier: NoteVerifier): RestoredState {
  const backup = open(marker.checkpoint, verifier);
  const newest = marker.newest === "" ? backup : open(marker.newest, verifier);
  return {
    marker,
    backup,
    newest: newest.checkpoint.size > backup.checkpoint.size ? newest : backup,
  };
}

/** @param seen the newest that an agent holds. @returns the same state unless that is newer than all before */
export function withWitnessed(
  state: RestoredState,
  seen: KnownCheckpoint | undefined,
): RestoredState {
  if (seen === undefined || Buffer.byteLength(seen.note) > NOTE_BYTES_MAX) return state;
  return seen.checkpoint.size > state.newest.checkpoint.size ? { ...state, newest: seen } : state;
}

export interface Waiting {
  /** Since agents can connect. Of a clock that only goes forward. */
  readonly waitedMs: number;
  /** The longest that is waited. */
  readonly waitMs: number;
}

export type RestoredDecision =
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "settle" };

/** An operator who has brought a checkpoint has asked the agents already. */
export function decideRestored(
  { marker }: RestoredState,
  { waitedMs, waitMs }: Waiting,
): RestoredDecision {
  const isOver = marker.newest !== "" || !(waitedMs < waitMs);
  return isOver ? { kind: "settle" } : { kind: "wait", forMs: waitMs - waitedMs };
}

/**
 * The record. Whatever was signed and is lost was signed before the restore, and lives no longer than `maxTtlMs`, or than
 * the longest that the backup knows.
 */
export function restoredEvent(
  { marker, backup, newest }: RestoredState,
  maxTtlMs: number,
): Omit<EventEntry, "kind" | "timeMs"> {
  const [from, to] = [backup.checkpoint.size, newest.checkpoint.size];
  const lost = to > from ? `entries ${from} to ${to - 1} are lost` : `from entry ${from} on`;
  return {
    type: "restored",
    operator: marker.operator,
    subject: lost,
    reason: `restored from the backup of ${new Date(marker.backupAtMs).toISOString()}`,
    digest: new Uint8Array(0),
    detail: encodeRestored({
      from,
      to,
      checkpoint: newest.note,
      possibleUntilMs: marker.restoredAtMs + Math.max(maxTtlMs, marker.longestLifeMs),
    }),
  };
}

/** Whether an entry is the record of this restore: of an earlier start, which did not come to its end. */
export function isRecordOf({ backup }: RestoredState, entry: Entry): boolean {
  if (entry.kind !== "event" || entry.type !== "restored") return false;
  return parseRestored(entry.detail).from === backup.checkpoint.size;
}

function open(note: string, verifier: NoteVerifier): KnownCheckpoint {
  return { checkpoint: openCheckpoint(note, [verifier]), note };
}

const tooLong = new LogError(
  "log-note-malformed",
  `expected at most ${NOTE_BYTES_MAX} octets, got more: leave out the signatures of others`,
);

/**
 * The newest of those that an operator brings, "" for none that is newer than the backup.
 * @throws BackupError `restore-checkpoint-unusable` for one that is not of this log
 */
export function newestNote(
  notes: ReadonlyMap<string, string>,
  backup: Checkpoint,
  verifier: NoteVerifier,
): string {
  let newest: { readonly note: string; readonly size: number } = { note: "", size: backup.size };
  for (const [name, note] of notes) {
    try {
      const { size } = openCheckpoint(note, [verifier]);
      if (Buffer.byteLength(note) > NOTE_BYTES_MAX) throw tooLong;
      if (size > newest.size) newest = { note, size };
    } catch (cause) {
      if (!(cause instanceof LogError)) throw cause;
      const message = `${name}: expected a checkpoint of the log in this backup: ${cause.message}`;
      throw new BackupError("restore-checkpoint-unusable", message, { cause });
    }
  }
  return newest.note;
}
