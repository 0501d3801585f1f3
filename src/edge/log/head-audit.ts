/**
 * Checks the head of the log against its tables. Readers believe the head and the rows, and the checkpoint is what is signed:
 * a row behind it would be shown, and no walk over the signed entries would ever come to it.
 */

import { openCheckpoint, type Checkpoint } from "../../core/log/checkpoint.ts";
import { encodeVerifierKey, type NoteVerifier } from "../../core/log/note-key.ts";
import type { AuditRows, HeadRow, RowsEnd } from "./audit-rows.ts";
import { isCorrupt } from "./log-failure.ts";
import type { LogFault } from "./log-fault.ts";

export interface AuditedHead extends HeadRow {
  readonly checkpoint: Checkpoint;
  /** To be said when the entries are good: they say better where it is. */
  readonly fault: LogFault | undefined;
}

/** @throws LogError as `openCheckpoint` does; what SQLite throws when there is no head to be read */
export function auditHead(rows: AuditRows, verifiers: readonly NoteVerifier[]): AuditedHead {
  return rows.atOnce(() => {
    const head = rows.head();
    const checkpoint = openCheckpoint(head.note, verifiers);
    const wrong = (code: LogFault["code"], message: string): AuditedHead => {
      return { ...head, checkpoint, fault: { index: checkpoint.size, code, message } };
    };
    try {
      const message = headFault(head, rows.end(), checkpoint, verifiers);
      return message === undefined
        ? { ...head, checkpoint, fault: undefined }
        : wrong("head-wrong", message);
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      return wrong("database-wrong", error.message);
    }
  });
}

/** @returns what is wrong */
function headFault(
  head: HeadRow,
  end: RowsEnd,
  { size }: Checkpoint,
  verifiers: readonly NoteVerifier[],
): string | undefined {
  if (head.size !== size) return `expected a head of the checkpoint's ${size}, got ${head.size}`;
  if (end.size !== size) {
    return `expected entries up to ${size - 1}, as the checkpoint says, got ${end.size - 1} as the last`;
  }
  if (end.indexed > size) {
    return `expected certificates of signed entries, got one of entry ${end.indexed - 1}`;
  }
  const openMax = end.firstOpen ?? size;
  if (head.openFrom > openMax) {
    return `expected open intents to be sought from ${openMax} on at the latest, got ${head.openFrom}`;
  }
  if (verifiers.map(encodeVerifierKey).includes(head.verifierKey)) return undefined;
  return "the head names another verifier key than the one that has signed";
}
