/** What SQLite and the file system say about the log's file, in the log's own words. */

import { LogError } from "../../core/log/log-error.ts";
import { errnoOf } from "../config/errno.ts";

/** SQLite's primary result codes (https://www.sqlite.org/rescode.html). */
const sqliteReadOnly = 8;
const sqliteIo = 10;
const sqliteCorrupt = 11;
const sqliteFull = 13;
const sqliteCannotOpen = 14;
const sqliteConstraint = 19;
const sqliteNotADatabase = 26;
const reasons: ReadonlyMap<number, string> = new Map([
  [5, "another process holds it"],
  [sqliteReadOnly, "it is read-only (EROFS)"],
  [sqliteIo, "the file system failed or is full (EIO)"],
  [sqliteFull, "the disk is full (ENOSPC)"],
  [sqliteCannotOpen, "it cannot be opened"],
]);

/** An entry that contradicts the log: a mistake of whoever made it, and the world is fine. */
export class RefusedEntry extends Error {
  override name = "RefusedEntry";
}

export function isConstraint(error: unknown): boolean {
  return resultCode(error) === sqliteConstraint;
}

export function isCannotOpen(error: unknown): boolean {
  return resultCode(error) === sqliteCannotOpen;
}

/** The file is there and can be read, and is no database, or a broken one. */
export function isCorrupt(error: unknown): error is Error {
  const code = resultCode(error instanceof LogError ? error.cause : error);
  return code === sqliteCorrupt || code === sqliteNotADatabase;
}

/** Of a log that is opened for writing. */
export function unusable(path: string, cause: unknown): LogError {
  const code = resultCode(cause);
  const errno = errnoOf(cause);
  // A file system that is full fails at the log's shared memory first, and says no more than that.
  const isWorld = code === sqliteReadOnly || code === sqliteFull || code === sqliteIo;
  return isWorld || errno === "EROFS" || errno === "EACCES"
    ? unwritable(path, cause)
    : unreadable(path, cause);
}

export function unwritable(path: string, cause: unknown): LogError {
  if (cause instanceof LogError) return cause;
  return new LogError("log-unwritable", `${path} cannot be written: ${reasonOf(cause)}`, {
    cause,
    hint: "nothing is signed until it can: make room, or repair its file system",
  });
}

export function unreadable(path: string, cause: unknown): LogError {
  if (cause instanceof LogError) return cause;
  return new LogError("log-unreadable", `${path} cannot be read as a log: ${reasonOf(cause)}`, {
    cause,
    hint: "restore it from a backup; it is never replaced by a new one",
  });
}

export function lost(path: string): LogError {
  return new LogError("log-lost", `this directory has had a log, and ${path} is missing`, {
    hint: "restore log.db from the backup that portcullis.db is from",
  });
}

export function overtaken(path: string): LogError {
  return new LogError("log-unwritable", `another process has written to ${path}`, {
    hint: "two servers run on one --data-dir: stop both, then start one",
  });
}

function reasonOf(cause: unknown): string {
  const code = resultCode(cause);
  const known = code === undefined ? undefined : reasons.get(code);
  return known ?? errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}
