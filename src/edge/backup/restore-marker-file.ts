/** `restore.json`: written by a restore, and gone when the log has recorded it. */

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeMarker, parseMarker, type RestoreMarker } from "../../core/backup/restore-marker.ts";
import { PrivateFileError, readPrivateFile, writeFileAtomic } from "../config/private-files.ts";

export const markerFileName = "restore.json";
const BYTES_MAX = 65_536;

/** Undefined in a directory that was not restored, or whose restore is recorded. @throws BackupError, PrivateFileError */
export async function readMarker(dataDir: string): Promise<RestoreMarker | undefined> {
  try {
    const bytes = await readPrivateFile(join(dataDir, markerFileName), BYTES_MAX);
    return parseMarker(Buffer.from(bytes).toString("utf8"));
  } catch (error) {
    if (error instanceof PrivateFileError && error.code === "file-missing") return undefined;
    throw error;
  }
}

/** @throws PrivateFileError */
export async function writeMarker(directory: string, marker: RestoreMarker): Promise<void> {
  await writeFileAtomic(join(directory, markerFileName), Buffer.from(encodeMarker(marker)), 0o600);
}

/** One that comes back after a crash only makes the restore recorded once more. */
export async function removeMarker(dataDir: string): Promise<void> {
  await rm(join(dataDir, markerFileName), { force: true });
}
