/**
 * What a restore leaves for the first start of the server: from then on the log is behind what agents know, and must not go
 * on as if nothing had happened.
 */

import { operatorPattern } from "../operator.ts";
import { BackupError } from "./backup-error.ts";
import { countOf, parseObject, textOf } from "./strict-json.ts";

export interface RestoreMarker {
  readonly restoredAtMs: number;
  /** As claimed. */
  readonly operator: string;
  /** When the backup was made: what came later is lost. */
  readonly backupAtMs: number;
  /** Of the log in the backup, the signed note. */
  readonly checkpoint: string;
  /** A newer one of the same log that the operator has from an agent, the signed note; "" for none. */
  readonly newest: string;
  /** Of the certificates that were valid when the backup was made. */
  readonly longestLifeMs: number;
}

/** What a marker says must fit into the log. */
const NOTE_MAX = 4_096;

export function encodeMarker(marker: RestoreMarker): string {
  return `${JSON.stringify({ version: 1, ...marker }, undefined, 2)}\n`;
}

/** @throws BackupError `restore-marker-malformed` */
export function parseMarker(text: string): RestoreMarker {
  try {
    const fields = parseObject(text);
    if (countOf(fields["version"], "version") !== 1) throw new TypeError("expected version 1");
    return Object.freeze({
      restoredAtMs: countOf(fields["restoredAtMs"], "restoredAtMs"),
      operator: operatorOf(fields["operator"]),
      backupAtMs: countOf(fields["backupAtMs"], "backupAtMs"),
      checkpoint: textOf(fields["checkpoint"], "checkpoint", NOTE_MAX),
      newest: textOf(fields["newest"], "newest", NOTE_MAX),
      longestLifeMs: countOf(fields["longestLifeMs"], "longestLifeMs"),
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError("restore-marker-malformed", `restore.json cannot be read: ${reason}`, {
      cause,
      hint: "restore the backup once more, into an empty directory",
    });
  }
}

export function isOperator(name: string): boolean {
  return operatorPattern.test(name);
}

function operatorOf(value: unknown): string {
  if (typeof value === "string" && isOperator(value)) return value;
  throw new TypeError("expected an operator of at most 60 printable characters");
}
