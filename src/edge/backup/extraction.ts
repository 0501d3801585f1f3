/** The databases out of a backup, into files. */

import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { damaged } from "../../core/backup/chunk-format.ts";
import type { BackupFile } from "../../core/backup/backup-manifest.ts";
import { fileError } from "../config/private-files.ts";
import type { BackupReader } from "./backup-reader.ts";

/** Reads it to its end. @returns how many octets its databases have. @throws BackupError, PrivateFileError */
export async function authenticate(reader: BackupReader, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  for await (const { data } of reader.chunks()) {
    signal.throwIfAborted();
    bytes += data.length;
  }
  return bytes;
}

/**
 * Durable when it resolves; mode 0600. Neither file may be there.
 * @throws BackupError, PrivateFileError
 */
export async function extract(
  reader: BackupReader,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  await using owned = new AsyncDisposableStack();
  try {
    const openNew = (file: BackupFile): Promise<FileHandle> =>
      open(join(directory, file), "wx", 0o600);
    const store = owned.use(await openNew("portcullis.db"));
    const log = owned.use(await openNew("log.db"));
    for await (const { file, data } of reader.chunks()) {
      signal.throwIfAborted();
      await (file === "log.db" ? log : store).writeFile(data);
    }
    for (const file of [store, log]) {
      if ((await file.stat()).size === 0) throw damaged(0);
      await file.sync();
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : named(directory, error);
  }
}

/** What is wrong with the backup stays what it is. */
function named(directory: string, error: unknown): unknown {
  return error instanceof Error && "syscall" in error ? fileError(directory, error) : error;
}
