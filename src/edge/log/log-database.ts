/**
 * The log's file: opened for the one writer, or read-only for anybody who may read it. Write-ahead log, so that readers
 * and the writer never wait for each other, and full sync.
 */

import { accessSync, closeSync, constants, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { LogError } from "../../core/log/log-error.ts";
import { durable, durableTransaction } from "../store/durable.ts";
import { isCannotOpen, lost, unreadable, unusable, unwritable } from "./log-failure.ts";
import { logMigrations } from "./log-schema.ts";

/** Only a second writer, or a recovery after a crash, ever makes one wait. */
const BUSY_TIMEOUT_MS = 5_000;
/** What a burst has blown up is given back to the disk. */
const WAL_KEPT_BYTES = 16_777_216;

export function logPath(dataDir: string): string {
  return join(dataDir, "log.db");
}

/**
 * Creates it, or brings it to the newest schema.
 * @param mustExist a directory that has had a log before does not get a new one
 * @throws LogError `log-lost`, `log-newer`, `log-unreadable`, `log-unwritable`
 */
export function openForWriting(path: string, mustExist: boolean): DatabaseSync {
  // SQLite takes a file of one byte for an empty one, and writes over it.
  const isEmpty = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= 1;
  if (isEmpty && mustExist) throw lost(path);
  let database: DatabaseSync | undefined;
  try {
    if (isEmpty) create(path);
    // SQLite does not say why it cannot write.
    else accessSync(path, constants.W_OK);
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
    if (schemaVersion(database) === 0 && mustExist) throw lost(path);
    expectWhole(database, path);
    migrate(database);
    return database;
  } catch (error) {
    database?.close();
    throw isEmpty ? unwritable(path, error) : unusable(path, error);
  }
}

/**
 * Also while the server writes, and of a copy on a read-only medium.
 * @throws LogError `log-lost`, `log-newer`, `log-unreadable`
 */
export function openForReading(path: string): DatabaseSync {
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw lost(path);
    return openReadOnly(path, path);
  } catch (error) {
    // Readers share memory through a file beside it. Where none can be made, nobody writes.
    if (!isCannotOpen(error) || hasWal(path)) throw unreadable(path, error);
  }
  try {
    const immutable = pathToFileURL(path);
    immutable.searchParams.set("immutable", "1");
    return openReadOnly(immutable, path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function hasWal(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function openReadOnly(location: string | URL, path: string): DatabaseSync {
  const database = new DatabaseSync(location, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    if (schemaVersion(database) === logMigrations.length) return database;
    throw new LogError("log-unreadable", `${path} has no log, or one of an older schema`, {
      hint: "start the server on it once",
    });
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite would create it with the umask's mode; its -wal file takes over the mode of the database. */
function create(path: string): void {
  durable("log-create", () => closeSync(openSync(path, "a", 0o600)));
}

function migrate(database: DatabaseSync): void {
  const version = schemaVersion(database);
  for (const [index, step] of logMigrations.slice(version).entries()) {
    durableTransaction(database, "log-schema", () => {
      database.exec(`${step} PRAGMA user_version = ${version + index + 1}`);
    });
  }
}

/** @throws LogError `log-newer` */
function schemaVersion(database: DatabaseSync): number {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version <= logMigrations.length) return version;
  throw new LogError(
    "log-newer",
    `expected schema ${logMigrations.length} of the log at most, got ${version}`,
    { hint: "this directory was written by a newer portcullis: run that one" },
  );
}

/**
 * A file that was cut off is noticed by SQLite only where it reads. The checkpoint has no name among the durable writes: it
 * moves what a COMMIT has made durable, and one that is broken off begins anew (https://www.sqlite.org/wal.html#ckpt).
 */
function expectWhole(database: DatabaseSync, path: string): void {
  const busy = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"];
  const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
  const pageSize = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
  const { size } = statSync(path);
  if (busy !== 0 || size >= pages * pageSize) return;
  throw new LogError("log-damaged", `${path}: expected ${pages * pageSize} bytes, got ${size}`, {
    hint: "restore it from a backup; it is never replaced by a new one",
  });
}
