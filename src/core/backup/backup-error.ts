/** Why there is no backup, and why one that is there cannot be restored. */

import { PortcullisError } from "../error.ts";

export type BackupErrorCode =
  | "backup-malformed"
  | "backup-newer"
  | "backup-passphrase-short"
  | "backup-passphrase-wrong"
  | "backup-damaged"
  | "backup-truncated"
  | "backup-contents-wrong"
  | "backup-exists"
  | "backup-nothing"
  | "backup-no-space"
  | "backup-busy"
  | "backup-failed"
  | "restore-not-empty"
  | "restore-checkpoint-unusable"
  | "restore-marker-malformed"
  | "restore-unsettled";

export class BackupError extends PortcullisError<BackupErrorCode> {
  override name = "BackupError";
}
