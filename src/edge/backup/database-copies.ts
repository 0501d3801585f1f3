/**
 * Consistent copies of both databases, also while a server writes them: first `portcullis.db`, then `log.db`. What changes
 * trust is logged before it is done, so the copy of the log has all that the copy of the store knows of; a server makes up for
 * one change of the deny list that the store lacks, and not for two.
 */

import { createReadStream } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { BackupError } from "../../core/backup/backup-error.ts";
import { backupFiles, type BackupManifest } from "../../core/backup/backup-manifest.ts";
import type { Chunk } from "../../core/backup/chunk-format.ts";
import { PortcullisError } from "../../core/error.ts";
import { logPath, openForReading } from "../log/log-database.ts";
import { unreadable } from "../store/store-error.ts";
import { readTrustState } from "../store/trust-table.ts";
import { assertRoom, makeCopyDirectory, type CopyDirectory } from "./copy-directory.ts";

export interface CopyOptions {
  readonly dataDir: string;
  /** Makes a copy of `portcullis.db` in a file that is empty; at once, by whoever has it open. */
  readonly copyStore: (path: string) => void;
  /** Of the live deny list; absent where nobody can change it meanwhile. */
  readonly denySequence?: () => number;
  readonly version: string;
  readonly nowMs: () => number;
}

/** In one step, in a thread of libuv's: in several, each write of the server would begin it anew. */
const ALL_PAGES = 2_147_483_647;
const PIECE_BYTES = 262_144;
const attemptsMax = 3;

export class DatabaseCopies implements AsyncDisposable {
  readonly manifest: BackupManifest;
  readonly #directory: CopyDirectory;

  private constructor(directory: CopyDirectory, manifest: BackupManifest) {
    this.#directory = directory;
    this.manifest = manifest;
  }

  /** @throws BackupError `backup-no-space`, `backup-failed`; LogError `log-lost`, ...; StoreError, PrivateFileError */
  static async make(options: CopyOptions): Promise<DatabaseCopies> {
    const { dataDir, version, nowMs } = options;
    await assertRoom(dataDir, await sizeOf(dataDir));
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await makeCopyDirectory(dataDir, "backup"));
    const createdAtMs = nowMs();
    try {
      await copyBoth(options, directory.path);
    } catch (cause) {
      throw cause instanceof PortcullisError ? cause : failed(cause);
    }
    const manifest = { version, createdAtMs, ...describe(directory.path) };
    owned.move();
    return new DatabaseCopies(directory, manifest);
  }

  async *data(): AsyncGenerator<Chunk> {
    for (const file of backupFiles) {
      const stream = createReadStream(join(this.#directory.path, file), {
        highWaterMark: PIECE_BYTES,
      });
      for await (const data of stream) yield { file, data };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** By name only: to open and close a live database of this process would let go of SQLite's locks on it. */
async function sizeOf(dataDir: string): Promise<number> {
  const names = backupFiles.flatMap((file) => [file, `${file}-wal`]);
  const sizes = names.map(async (name) => {
    return (await stat(join(dataDir, name)).catch(() => undefined))?.size ?? 0;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Anew where the deny list changes meanwhile: a change that is in the log and not stored yet is the only one then. */
async function copyBoth(
  { dataDir, copyStore, denySequence = () => 0 }: CopyOptions,
  target: string,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    // SQLite would make them with the umask's mode.
    for (const file of backupFiles) await writeFile(join(target, file), "", { mode: 0o600 });
    const before = denySequence();
    copyStore(join(target, "portcullis.db"));
    await copyLog(dataDir, logPath(target));
    if (denySequence() === before) return;
  }
  const message = `the deny list has changed during each of ${attemptsMax} copies`;
  throw new BackupError("backup-failed", message, { hint: "try again when nobody changes it" });
}

async function copyLog(dataDir: string, target: string): Promise<void> {
  {
    using source = openForReading(logPath(dataDir));
    await backup(source, target, { rate: ALL_PAGES });
  }
  using copy = new DatabaseSync(target);
  // One file, without a write-ahead log beside it.
  copy.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE");
}

type Described = Omit<BackupManifest, "version" | "createdAtMs">;

function describe(directory: string): Described {
  const path = join(directory, "portcullis.db");
  using store = new DatabaseSync(path, { readOnly: true });
  using log = openForReading(logPath(directory));
  const state = readTrustState(store);
  if (state === undefined) throw unreadable(path, new Error("there is no trust state in it"));
  const head = log.prepare("SELECT size, checkpoint, verifier_key FROM head").get();
  return {
    trustDomain: state.trustDomain.name,
    epoch: state.epoch,
    schemas: { "portcullis.db": schemaOf(store), "log.db": schemaOf(log) },
    log: {
      size: Number(head?.["size"]),
      checkpoint: String(head?.["checkpoint"]),
      key: String(head?.["verifier_key"]),
    },
  };
}

function schemaOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** SQLITE_FULL (https://www.sqlite.org/rescode.html). */
const sqliteFull = 13;

function failed(cause: unknown): BackupError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const isFull = cause instanceof Error && "errcode" in cause && cause.errcode === sqliteFull;
  return new BackupError(
    isFull ? "backup-no-space" : "backup-failed",
    `the databases cannot be copied: ${message}`,
    { cause },
  );
}
