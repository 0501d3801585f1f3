/** Why the store in the data directory was not opened, or not changed. */

import { PortcullisError } from "../../core/error.ts";

export type StoreErrorCode =
  | "store-unreadable"
  | "store-unwritable"
  | "store-in-use"
  | "store-newer"
  | "store-lost"
  | "store-old"
  | "store-made-by-dev"
  | "store-trust-domain"
  | "store-key-missing"
  | "store-key-encrypted"
  | "store-passphrase-wrong"
  | "store-denials-changed"
  | "store-resources-changed"
  | "store-epoch";

export class StoreError extends PortcullisError<StoreErrorCode> {
  override name = "StoreError";
}

/** What SQLite or the file system says of the file, in the store's own words. */
export function unreadable(path: string, cause: unknown): StoreError {
  const text = String(cause);
  if (text.includes("database is locked")) {
    return new StoreError("store-in-use", `another process uses ${path}`, {
      cause,
      hint: "stop it first, or choose another --data-dir",
    });
  }
  const why = worldFailures.find(([sign]) => text.includes(sign))?.[1];
  if (why !== undefined) {
    return new StoreError("store-unwritable", `${path} cannot be written: ${why}`, {
      cause,
      hint: "make room, or repair its file system: the store itself may be good",
    });
  }
  return new StoreError("store-unreadable", `${path} cannot be read as a Portcullis store`, {
    cause,
    hint: "restore it from a backup; it is never replaced by a new one",
  });
}

/** How the file system and SQLite (https://www.sqlite.org/rescode.html) say that it is not the file's fault. */
const worldFailures: readonly (readonly [sign: string, why: string])[] = [
  ["EROFS", "it is read-only (EROFS)"],
  ["EACCES", "it belongs to somebody else (EACCES)"],
  ["ENOSPC", "the disk is full (ENOSPC)"],
  ["readonly database", "it is read-only (EROFS)"],
  ["disk is full", "the disk is full (ENOSPC)"],
  ["disk I/O error", "the file system failed or is full (EIO)"],
];
