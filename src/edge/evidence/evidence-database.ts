/**
 * `evidence.db`: who was seen to call whom. It is evidence and not trust, so the server does not wait for it: a file that cannot be
 * read, or that a newer portcullis has written, is set aside and begun anew, and then nothing is covered that lies before. It is in no
 * backup: a server that was restored knows of nothing, and says so.
 *
 * Write-ahead log with `synchronous=NORMAL` (https://www.sqlite.org/pragma.html#pragma_synchronous): a killed process loses nothing. A
 * power cut may take the last transactions, the newest first and each as a whole: what an agent has seen, and for which time it has
 * answered, are written in one. The next report of its agent shows by its sequence that one is not here, and covers nothing before it.
 */

import { closeSync, openSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { durable, durableTransaction } from "../store/durable.ts";
import { unwritable } from "./evidence-error.ts";
import { evidenceMigrations } from "./evidence-schema.ts";

export interface OpenedEvidence {
  readonly database: DatabaseSync;
  /** Undefined where there was nothing wrong. */
  readonly aside: SetAside | undefined;
}

export interface SetAside {
  /** Where the file is now. */
  readonly path: string;
  readonly reason: string;
}

const busyTimeoutMs = 5_000;
/** Checkpoints end in an fsync: at full load one in some seconds. */
const checkpointPages = 8_192;
const walKeptBytes = 67_108_864;
const cacheKib = 16_384;
/** 2 GiB. The CA's log is on the same disk: agents that make things up must not fill it. */
const pagesMax = 524_288;

export function evidencePath(dataDir: string): string {
  return join(dataDir, "evidence.db");
}

/**
 * Creates it, or brings it to the newest schema.
 * @throws EvidenceStoreError `evidence-unwritable`; what the file system says
 */
export function openEvidence(path: string, nowMs: number): OpenedEvidence {
  try {
    return { database: open(path, nowMs), aside: undefined };
  } catch (cause) {
    const world = unwritable(path, cause);
    if (world !== undefined) throw world;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const aside = { path: setAside(path, nowMs), reason };
    return { database: open(path, nowMs), aside };
  }
}

/** Its write-ahead log first: beside a new file it would be played into that. @returns its new name */
export function setAside(path: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const aside = `${path}.aside-${time}`;
  durable("evidence-aside", () => {
    for (const part of ["-wal", "-shm", ""]) {
      const isThere = statSync(`${path}${part}`, { throwIfNoEntry: false }) !== undefined;
      if (isThere) renameSync(`${path}${part}`, `${aside}${part}`);
    }
  });
  return aside;
}

/** Whether one was set aside, in this life of the server or before. */
export function hasAside(path: string): boolean {
  const begin = `${basename(path)}.aside-`;
  return readdirSync(dirname(path)).some((each) => each.startsWith(begin));
}

function open(path: string, nowMs: number): DatabaseSync {
  // SQLite would create it with the umask's mode; its -wal file takes over the mode of the database.
  durable("evidence-create", () => closeSync(openSync(path, "a", 0o600)));
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
    database.exec(`PRAGMA journal_size_limit = ${walKeptBytes}`);
    database.exec(`PRAGMA cache_size = -${cacheKib}; PRAGMA max_page_count = ${pagesMax}`);
    expectWhole(database, path);
    migrate(database, nowMs);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: DatabaseSync, nowMs: number): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  const newest = evidenceMigrations.length;
  if (version > newest) {
    throw new Error(`it was written by a newer portcullis: schema ${version}, expected ${newest}`);
  }
  for (const [index, step] of evidenceMigrations.slice(version).entries()) {
    durableTransaction(database, "evidence-schema", () => {
      database.exec(`${step} PRAGMA user_version = ${version + index + 1}`);
      const meta = "INSERT OR IGNORE INTO meta (id, created_ms, known_ms) VALUES (1, ?, ?)";
      database.prepare(meta).run(nowMs, nowMs);
    });
  }
}

/** A file that was cut off is noticed by SQLite only where it reads. */
function expectWhole(database: DatabaseSync, path: string): void {
  database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
  const pageSize = Number(database.prepare("PRAGMA page_size").get()?.["page_size"]);
  const { size } = statSync(path);
  if (size < pages * pageSize) throw new Error(`expected ${pages * pageSize} octets, got ${size}`);
}
