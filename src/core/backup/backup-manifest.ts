/**
 * What is in a backup, as whoever made the copies says it: first in the answer of a server, and then in the clear in the
 * header of the file, so that the newest of several is found without their passphrase.
 */

import { countOf, objectOf, parseObject, textOf } from "./strict-json.ts";
import { BackupError } from "./backup-error.ts";

/** In the order in which they are copied and written: what the log does not have yet, the store must not have. */
export const backupFiles = ["portcullis.db", "log.db"] as const;

export type BackupFile = (typeof backupFiles)[number];

export interface BackupManifest {
  /** Of the portcullis that made the copies. */
  readonly version: string;
  /** Nothing that happened later is sure to be in it. */
  readonly createdAtMs: number;
  readonly trustDomain: string;
  readonly epoch: number;
  readonly schemas: Readonly<Record<BackupFile, number>>;
  readonly log: {
    readonly size: number;
    /** The signed note. */
    readonly checkpoint: string;
    /** The verifier key, `NAME+ID+KEY`. */
    readonly key: string;
  };
}

const VERSION_MAX = 64;
const TRUST_DOMAIN_MAX = 255;
const NOTE_MAX = 4_096;
const KEY_MAX = 1_024;

export function isBackupFile(name: string): name is BackupFile {
  return backupFiles.some((each) => each === name);
}

/** One line. */
export function encodeManifest(manifest: BackupManifest): string {
  return JSON.stringify(manifest);
}

/** @throws BackupError `backup-malformed` */
export function parseManifest(text: string): BackupManifest {
  try {
    return manifestOf(parseObject(text));
  } catch (cause) {
    throw new BackupError("backup-malformed", "expected what is in the backup", { cause });
  }
}

/** @throws TypeError */
export function manifestOf(fields: Readonly<Record<string, unknown>>): BackupManifest {
  const schemas = objectOf(fields["schemas"], "schemas");
  const log = objectOf(fields["log"], "log");
  return Object.freeze({
    version: textOf(fields["version"], "version", VERSION_MAX),
    createdAtMs: countOf(fields["createdAtMs"], "createdAtMs"),
    trustDomain: textOf(fields["trustDomain"], "trustDomain", TRUST_DOMAIN_MAX),
    epoch: countOf(fields["epoch"], "epoch"),
    schemas: Object.freeze({
      "portcullis.db": countOf(schemas["portcullis.db"], "the schema of portcullis.db"),
      "log.db": countOf(schemas["log.db"], "the schema of log.db"),
    }),
    log: Object.freeze({
      size: countOf(log["size"], "log.size"),
      checkpoint: textOf(log["checkpoint"], "log.checkpoint", NOTE_MAX),
      key: textOf(log["key"], "log.key", KEY_MAX),
    }),
  });
}

/** @throws BackupError `backup-newer`, by the name of what is newer */
export function assertReadable(
  { schemas, version }: BackupManifest,
  known: Readonly<Record<BackupFile, number>>,
): void {
  for (const file of backupFiles) {
    if (schemas[file] <= known[file]) continue;
    throw new BackupError(
      "backup-newer",
      `expected schema ${known[file]} of ${file} at most, got ${schemas[file]}`,
      { hint: `this backup was made by a newer portcullis (${version}): restore it with that one` },
    );
  }
}
