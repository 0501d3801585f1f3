/**
 * A directory for copies of the databases, beside those that they are copies of and as private: they have the same keys in
 * them. It is gone when the work is done, and at the next start of the server if that never came to its end.
 */

import { mkdtemp, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "../../core/backup/backup-error.ts";
import { fileError } from "../config/private-files.ts";

/** What a running server needs to go on writing its log while copies lie beside it. */
const RESERVE_BYTES = 64 * 1_048_576;

export interface CopyDirectory extends AsyncDisposable {
  readonly path: string;
}

/** @throws PrivateFileError */
export async function makeCopyDirectory(
  dataDir: string,
  purpose: "backup" | "restore",
): Promise<CopyDirectory> {
  const path = await mkdtemp(join(dataDir, `.${purpose}-`)).catch((error: unknown) => {
    throw fileError(dataDir, error);
  });
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export function isCopyDirectory(name: string): boolean {
  return /^\.(?:backup|restore)-\w{6}$/.test(name);
}

/** Of runs that were killed. Nobody else may be at work on the directory. @throws PrivateFileError */
export async function removeLeftCopies(dataDir: string): Promise<void> {
  try {
    for (const name of (await readdir(dataDir)).filter(isCopyDirectory)) {
      await rm(join(dataDir, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw fileError(dataDir, error);
  }
}

/** @throws BackupError `backup-no-space`, and nothing is full yet; PrivateFileError */
export async function assertRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory).catch((error: unknown) => {
    throw fileError(directory, error);
  });
  const needed = bytes + RESERVE_BYTES;
  if (bavail * bsize >= needed) return;
  const mib = (count: number): string => `${Math.ceil(count / 1_048_576)} MiB`;
  const message = `expected ${mib(needed)} free in ${directory}, got ${mib(bavail * bsize)}`;
  throw new BackupError("backup-no-space", message, {
    hint: "make room: the databases are copied there for a while, and what they need to grow stays free",
  });
}
