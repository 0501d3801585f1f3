/**
 * What the server says of its log, opened: signed with the key that it names, and with the `restored` event in it that it
 * shows. Whether the witness follows is decided in `witness.ts`.
 */

import { openCheckpoint, type Checkpoint } from "./checkpoint.ts";
import { LogError } from "./log-error.ts";
import { parseVerifierKey, type NoteVerifier } from "./note-key.ts";
import { openEntry, type ProvedEntry } from "./proved-entry.ts";
import { findRestored, type RestoredRange } from "./restored.ts";

/** What the server says of its log. */
export interface LogClaim {
  readonly note: string;
  readonly verifierKey: string;
  /** Of the checkpoint that `consistency` begins at. */
  readonly fromSize: number;
  readonly consistency: readonly Uint8Array[];
  /** The `restored` event that explains why the proof does not hold, or one that the witness has not seen yet. */
  readonly restored?: ProvedEntry;
}

export interface Restored {
  readonly index: number;
  readonly timeMs: number;
  /** Undefined when the event says none. */
  readonly range: RestoredRange | undefined;
  /** The newest checkpoint that was known of the lost log. */
  readonly lost: Checkpoint | undefined;
}

export interface Shown {
  readonly checkpoint: Checkpoint;
  readonly restored: Restored | undefined;
}

/** More than any checkpoint of ours needs; a witness keeps it, and sends it with each Hello. */
const KEPT_NOTE_CHARACTERS_MAX = 4_096;

/**
 * @param origin of the log that it has to be
 * @throws LogError for what is not of that log and key, or not in it
 */
export function openClaim({ note, verifierKey, restored }: LogClaim, origin: string): Shown {
  const verifier = parseVerifierKey(verifierKey);
  if (verifier.name !== origin) {
    throw new LogError("log-key-malformed", `expected the key of ${origin}, got another log's`);
  }
  if (note.length > KEPT_NOTE_CHARACTERS_MAX) {
    const expected = `expected at most ${KEPT_NOTE_CHARACTERS_MAX} characters, got ${note.length}`;
    throw new LogError("log-note-malformed", expected);
  }
  const checkpoint = openCheckpoint(note, [verifier]);
  return { checkpoint, restored: restored && openRestored(restored, checkpoint, verifier) };
}

/** @throws LogError unless a `restored` event is there */
function openRestored(
  proved: ProvedEntry,
  checkpoint: Checkpoint,
  verifier: NoteVerifier,
): Restored {
  const { index } = proved;
  const entry = openEntry(proved, checkpoint);
  if (entry.kind !== "event" || entry.type !== "restored") {
    throw new LogError("log-proof-invalid", `expected entry ${index} to be a restored event`);
  }
  const range = findRestored(entry);
  return {
    index,
    timeMs: entry.timeMs,
    range,
    lost: range && findCheckpoint(range.checkpoint, verifier),
  };
}

function findCheckpoint(note: string, verifier: NoteVerifier): Checkpoint | undefined {
  try {
    return openCheckpoint(note, [verifier]);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}
