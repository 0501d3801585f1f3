/**
 * Makes the file of a backup: written beside it, read back, decrypted and read through to the last entry of its log, and only
 * then given its name. What fails leaves what was there before.
 */

import { randomBytes } from "node:crypto";
import { lstat, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BackupError } from "../../core/backup/backup-error.ts";
import type { Chunk } from "../../core/backup/chunk-format.ts";
import { ensurePrivateDir, fileError, PrivateFileError } from "../config/private-files.ts";
import { checkContents, type BackupContents } from "./backup-contents.ts";
import { BackupReader } from "./backup-reader.ts";
import { writeBackup, type BackupSource } from "./backup-writer.ts";
import { assertRoom, makeCopyDirectory } from "./copy-directory.ts";
import { authenticate, extract } from "./extraction.ts";

export interface BackupTarget {
  readonly file: string;
  /** Replace what is there. */
  readonly force: boolean;
}

export interface CreateBackupOptions extends BackupTarget {
  /** Of the server: where copies may lie while they are read through. */
  readonly dataDir: string;
  readonly passphrase: Uint8Array;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Before a server is asked for anything. @throws BackupError `backup-exists`; PrivateFileError */
export async function assertTarget({ file, force }: BackupTarget): Promise<void> {
  const path = resolve(file);
  const parent = dirname(path);
  const stats = await lstat(parent).catch((error: unknown) => {
    throw fileError(parent, error);
  });
  if (!stats.isDirectory() && !stats.isSymbolicLink()) {
    throw new PrivateFileError("file-kind", `${parent}: expected a directory`);
  }
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isFile()) throw new PrivateFileError("file-kind", `${path}: expected a file`);
  if (force) return;
  throw new BackupError("backup-exists", `${path} is there already`, {
    hint: "choose another name, or replace it: --force",
  });
}

/** @throws BackupError, PrivateFileError; whatever the source throws; the reason of the signal */
export async function createBackup(
  source: BackupSource,
  options: CreateBackupOptions,
): Promise<BackupContents> {
  const { passphrase, signal } = options;
  await assertTarget(options);
  const path = resolve(options.file);
  const suffix = randomBytes(8).toString("hex");
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}.tmp`);
  try {
    const data = untilAborted(source.data, signal);
    await writeBackup(temporary, { manifest: source.manifest, data }, passphrase);
    const contents = await readBack(temporary, options);
    await assertTarget(options);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return contents;
  } catch (error) {
    throw error instanceof Error && "syscall" in error ? fileError(path, error) : error;
  } finally {
    await rm(temporary, { force: true }).catch(() => {});
  }
}

async function readBack(
  path: string,
  { dataDir, passphrase, nowMs, signal }: CreateBackupOptions,
): Promise<BackupContents> {
  await ensurePrivateDir(dataDir);
  await using reader = await BackupReader.open(path, passphrase);
  await assertRoom(dataDir, await authenticate(reader, signal));
  await using copies = await makeCopyDirectory(dataDir, "backup");
  await extract(reader, copies.path, signal);
  const { manifest } = reader;
  return await checkContents({ directory: copies.path, manifest, nowMs, signal });
}

async function* untilAborted(
  data: AsyncIterable<Chunk>,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  for await (const chunk of data) {
    signal.throwIfAborted();
    yield chunk;
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}
