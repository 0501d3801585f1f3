/**
 * The embedded store: one SQLite file in the data directory, write-ahead log, full sync, one process at a time. What it
 * cannot read it refuses; it never starts afresh over something that is there.
 */

import { createPrivateKey, type KeyObject } from "node:crypto";
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { PortcullisError } from "../../core/error.ts";
import {
  encodeTrustState,
  parseTrustState,
  type TrustState,
} from "../../core/trust/trust-state.ts";
import { ensurePrivateDir } from "../config/private-files.ts";
import { migrations } from "./migrations.ts";

export type StoreErrorCode =
  | "store-unreadable"
  | "store-in-use"
  | "store-newer"
  | "store-lost"
  | "store-made-by-dev"
  | "store-trust-domain"
  | "store-key-missing";

export class StoreError extends PortcullisError<StoreErrorCode> {
  override name = "StoreError";
}

/** Who made the directory: `dev`'s tokens are worth nothing, so a server must not inherit its root. */
export type StoreMaker = "server" | "dev";

export interface NewTrust {
  readonly state: TrustState;
  readonly keyId: string;
  readonly privateKeyPkcs8: Uint8Array;
  readonly nowMs: number;
}

export const bundleFileName = "root-cert.pem";

type Row = Record<string, SQLOutputValue>;

export class Store implements Disposable {
  readonly #path: string;
  readonly #database: DatabaseSync;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** @throws StoreError, PrivateFileError */
  static async open(dataDir: string, maker: StoreMaker): Promise<Store> {
    await ensurePrivateDir(dataDir);
    const path = join(dataDir, "portcullis.db");
    // SQLite takes a file of one byte for an empty one, and writes over it.
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= 1) refuseLostStore(dataDir);
    const database = openDatabase(path);
    try {
      migrate(database, dataDir, maker);
      return new Store(path, database);
    } catch (error) {
      database.close();
      throw error instanceof StoreError ? error : unreadable(path, error);
    }
  }

  /** Undefined in a directory that has never had a trust state. */
  loadTrustState(): TrustState | undefined {
    const row = this.#read("SELECT epoch, document FROM trust_state");
    if (row === undefined) return undefined;
    return parseTrustState(Number(row["epoch"]), String(row["document"]));
  }

  /** The first trust state and its key, together or not at all. */
  initialize({ state, keyId, privateKeyPkcs8, nowMs }: NewTrust): void {
    this.#transaction(() => {
      this.#database
        .prepare("INSERT INTO signing_keys (id, pkcs8, created_at_ms) VALUES (?, ?, ?)")
        .run(keyId, privateKeyPkcs8, nowMs);
      this.#database
        .prepare("INSERT INTO trust_state (id, epoch, document) VALUES (1, ?, ?)")
        .run(state.epoch, encodeTrustState(state));
    });
  }

  /** @throws StoreError `store-key-missing`, `store-unreadable` */
  signingKey(id: string): KeyObject {
    const pkcs8 = this.#read("SELECT pkcs8 FROM signing_keys WHERE id = ?", id)?.["pkcs8"];
    if (!(pkcs8 instanceof Uint8Array)) {
      throw new StoreError("store-key-missing", `no signing key for authority ${id}`, {
        hint: "restore the data directory from a backup",
      });
    }
    try {
      return createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #read(query: string, ...values: readonly string[]): Row | undefined {
    try {
      return this.#database.prepare(query).get(...values);
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  #transaction(work: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

function refuseLostStore(dataDir: string): void {
  if (!existsSync(join(dataDir, bundleFileName))) return;
  throw new StoreError(
    "store-lost",
    `${dataDir} has a ${bundleFileName} but no portcullis.db: its root is in use somewhere`,
    { hint: "restore portcullis.db from a backup, or choose an empty --data-dir" },
  );
}

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // SQLite would create it with the umask's mode; its -wal file takes over the mode of the database.
    closeSync(openSync(path, "a", 0o600));
    database = new DatabaseSync(path, { timeout: 0 });
    // Exclusive: a second process on this directory fails at once instead of signing beside the first.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("BEGIN IMMEDIATE; COMMIT");
    return database;
  } catch (error) {
    database?.close();
    throw unreadable(path, error);
  }
}

function migrate(database: DatabaseSync, dataDir: string, maker: StoreMaker): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    throw new StoreError(
      "store-newer",
      `expected schema ${migrations.length} at most, got ${version}`,
      { hint: "this directory was written by a newer portcullis: run that one" },
    );
  }
  if (version > 0) assertIntact(database);
  if (version === 0 || !hasTrustState(database)) refuseLostStore(dataDir);
  for (const [index, step] of migrations.slice(version).entries()) {
    const next = version + index + 1;
    database.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${next}; COMMIT`);
  }
  const insert = database.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('maker', ?)");
  insert.run(maker);
  const made = database.prepare("SELECT value FROM meta WHERE key = 'maker'").get()?.["value"];
  if (made !== maker) {
    throw new StoreError(
      "store-made-by-dev",
      `${dataDir} was made by \`portcullis ${String(made)}\``,
      {
        hint: `give \`portcullis ${maker}\` a --data-dir of its own`,
      },
    );
  }
}

/** SQLite reads what a torn file has lost as zeros, and finds nothing. These tables stay small. */
function assertIntact(database: DatabaseSync): void {
  for (const table of ["trust_state", "signing_keys"]) {
    const found = database.prepare(`PRAGMA integrity_check(${table})`).get()?.["integrity_check"];
    if (found !== "ok") throw new Error(String(found));
  }
}

function hasTrustState(database: DatabaseSync): boolean {
  return database.prepare("SELECT id FROM trust_state").get() !== undefined;
}

function unreadable(path: string, cause: unknown): StoreError {
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
