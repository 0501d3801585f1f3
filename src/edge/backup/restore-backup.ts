/**
 * A directory out of a backup. All of it is read and checked before anything gets a name that a server looks for; the last
 * name is that of `portcullis.db`, and until it is there a server refuses the directory instead of making a root of its own.
 */

import { lstat, open, readdir, rename, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BackupError } from "../../core/backup/backup-error.ts";
import { assertReadable, backupFiles, type BackupFile } from "../../core/backup/backup-manifest.ts";
import { newestNote } from "../../core/backup/restored-start.ts";
import { encodeCertificates } from "../../core/x509/pem.ts";
import { ensurePrivateDir, fileError, writeFileAtomic } from "../config/private-files.ts";
import { logMigrations } from "../log/log-schema.ts";
import { durable } from "../store/durable.ts";
import { migrations } from "../store/migrations.ts";
import { bundleFileName } from "../store/store-database.ts";
import { checkContents, type BackupContents } from "./backup-contents.ts";
import { BackupReader } from "./backup-reader.ts";
import { assertRoom, isCopyDirectory, makeCopyDirectory } from "./copy-directory.ts";
import { authenticate, extract } from "./extraction.ts";
import { markerFileName, writeMarker } from "./restore-marker-file.ts";

export interface RestoreOptions {
  readonly file: string;
  readonly dataDir: string;
  readonly passphrase: Uint8Array;
  /** Checkpoints of the lost log that agents hold, by the names of their files. */
  readonly newer: ReadonlyMap<string, string>;
  readonly operator: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

export interface Restored extends BackupContents {
  /** The newest of the operator's checkpoints; "" for none. */
  readonly newest: string;
}

const knownSchemas: Readonly<Record<BackupFile, number>> = {
  "portcullis.db": migrations.length,
  "log.db": logMigrations.length,
};

/** The guard first: with it and without a store, a server does not start. */
const order = [bundleFileName, markerFileName, "log.db", "portcullis.db"];

/** @throws BackupError, PrivateFileError; the reason of the signal */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { file, passphrase, signal } = options;
  const dataDir = resolve(options.dataDir);
  await using reader = await BackupReader.open(file, passphrase);
  assertReadable(reader.manifest, knownSchemas);
  const isNew = await assertEmpty(dataDir);
  const bytes = await authenticate(reader, signal);
  await ensurePrivateDir(dataDir);
  try {
    await assertRoom(dataDir, bytes);
    return await fill(dataDir, reader, options);
  } catch (error) {
    // Not empty if it got as far as giving names.
    if (isNew) await rmdir(dataDir).catch(() => {});
    throw error instanceof Error && "syscall" in error ? fileError(dataDir, error) : error;
  }
}

async function fill(
  dataDir: string,
  reader: BackupReader,
  { newer, operator, nowMs, signal }: RestoreOptions,
): Promise<Restored> {
  const { manifest } = reader;
  await using copies = await makeCopyDirectory(dataDir, "restore");
  const directory = copies.path;
  await extract(reader, directory, signal);
  const contents = await checkContents({ directory, manifest, nowMs, signal });
  const { checkpoint, verifier, roots, longestLifeMs } = contents;
  const newest = newestNote(newer, checkpoint, verifier);
  await writeMarker(directory, {
    restoredAtMs: nowMs,
    operator,
    backupAtMs: manifest.createdAtMs,
    checkpoint: manifest.log.checkpoint,
    newest,
    longestLifeMs,
  });
  const pem = Buffer.from(encodeCertificates(roots));
  await writeFileAtomic(join(directory, bundleFileName), pem, 0o644);
  signal.throwIfAborted();
  await assertEmpty(dataDir);
  for (const name of order) await place(directory, dataDir, name);
  return { ...contents, newest };
}

async function place(from: string, to: string, name: string): Promise<void> {
  await durable("file-replace", async () => {
    await rename(join(from, name), join(to, name));
    await using directory = await open(to, "r");
    await directory.sync();
  });
  // A server that was started in between may have made files of its own before it saw the guard.
  if (name === bundleFileName) await assertWithout(to, backupFiles);
}

/** @returns whether it is not there at all */
async function assertEmpty(dataDir: string): Promise<boolean> {
  const stats = await lstat(dataDir).catch(() => undefined);
  if (stats === undefined) return true;
  const names = await readdir(dataDir).catch((error: unknown) => {
    throw fileError(dataDir, error);
  });
  // A file system of its own may have a lost+found; copies are what a restore before this one has left.
  const others = names.filter((name) => name !== "lost+found" && !isCopyDirectory(name));
  if (others.length > 0) throw notEmpty(dataDir, others);
  return false;
}

async function assertWithout(dataDir: string, names: readonly string[]): Promise<void> {
  const there = (await readdir(dataDir)).filter((name) => names.includes(name));
  if (there.length > 0) throw notEmpty(dataDir, there);
}

function notEmpty(dataDir: string, names: readonly string[]): BackupError {
  const some = names.toSorted().slice(0, 3).join(", ");
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  const message = `expected ${dataDir} to be empty or absent, got ${some}${more}`;
  return new BackupError("restore-not-empty", message, {
    hint: `stop its server, if there is one, and move it away: mv '${dataDir}' '${dataDir}.old'`,
  });
}
