/** Why the store in the data directory was not opened, or not changed. */

import { PortcullisError } from "../../core/error.ts";

export type StoreErrorCode =
  | "store-unreadable"
  | "store-in-use"
  | "store-newer"
  | "store-lost"
  | "store-made-by-dev"
  | "store-trust-domain"
  | "store-key-missing"
  | "store-key-encrypted"
  | "store-passphrase-wrong"
  | "store-denials-changed"
  | "store-epoch";

export class StoreError extends PortcullisError<StoreErrorCode> {
  override name = "StoreError";
}

/** What SQLite or the file system says of the file, in the store's own words. */
export function unreadable(path: string, cause: unknown): StoreError {
  const busy = String(cause).includes("database is locked");
  return busy
    ? new StoreError("store-in-use", `another process uses ${path}`, {
        cause,
        hint: "stop it first, or choose another --data-dir",
      })
    : new StoreError("store-unreadable", `${path} cannot be read as a Portcullis store`, {
        cause,
        hint: "restore it from a backup; it is never replaced by a new one",
      });
}
