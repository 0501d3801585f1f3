/**
 * The embedded store: one SQLite file in the data directory, write-ahead log, full sync, one process at a time. What it
 * cannot read it refuses; it never starts afresh over something that is there.
 */

import type { KeyObject } from "node:crypto";
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
import { encryptKey, isEncryptedKey, readKey } from "./key-at-rest.ts";
import { Enrolments } from "./enrolments.ts";
import { JoinTokens } from "./join-tokens.ts";
import { migrations } from "./migrations.ts";
import { transaction } from "./transaction.ts";

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
  | "store-epoch";

export class StoreError extends PortcullisError<StoreErrorCode> {
  override name = "StoreError";
}

/** Who made the directory: `dev`'s tokens are worth nothing, so a server must not inherit its root. */
export type StoreMaker = "server" | "dev";

export interface NewTrust {
  readonly state: TrustState;
  /** Of the authorities that are new with it; PKCS#8, DER. */
  readonly keys: readonly NewSigningKey[];
  readonly nowMs: number;
}

export interface NewSigningKey {
  readonly id: string;
  readonly privateKeyPkcs8: Uint8Array;
}

export const bundleFileName = "root-cert.pem";

type Row = Record<string, SQLOutputValue>;

export class Store implements Disposable {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #passphrase: Uint8Array | undefined;
  readonly joinTokens: JoinTokens;
  readonly enrolments: Enrolments;

  private constructor(path: string, database: DatabaseSync, passphrase: Uint8Array | undefined) {
    this.#path = path;
    this.#database = database;
    this.#passphrase = passphrase;
    this.joinTokens = new JoinTokens(database);
    this.enrolments = new Enrolments(database);
  }

  /**
   * @param passphrase under which keys are kept; those that are there in the clear are encrypted now
   * @throws StoreError, PrivateFileError
   */
  static async open(dataDir: string, maker: StoreMaker, passphrase?: Uint8Array): Promise<Store> {
    await ensurePrivateDir(dataDir);
    const path = join(dataDir, "portcullis.db");
    // SQLite takes a file of one byte for an empty one, and writes over it.
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= 1) refuseLostStore(dataDir);
    const database = openDatabase(path);
    try {
      migrate(database, dataDir, maker);
      const store = new Store(path, database, passphrase);
      if (passphrase !== undefined) store.#encryptKeys(passphrase);
      return store;
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

  /** The first trust state and its keys, together or not at all. */
  initialize({ state, keys, nowMs }: NewTrust): void {
    transaction(this.#database, () => {
      this.#addKeys(keys, nowMs);
      this.#database
        .prepare("INSERT INTO trust_state (id, epoch, document) VALUES (1, ?, ?)")
        .run(state.epoch, encodeTrustState(state));
    });
  }

  /**
   * The next trust state, if the stored one is still that of the epoch before; with its new keys.
   * @throws StoreError `store-epoch` when somebody else has changed it
   */
  replaceTrustState({ state, keys, nowMs }: NewTrust): void {
    transaction(this.#database, () => {
      this.#addKeys(keys, nowMs);
      const { changes } = this.#database
        .prepare("UPDATE trust_state SET epoch = ?, document = ? WHERE epoch = ?")
        .run(state.epoch, encodeTrustState(state), state.epoch - 1);
      if (changes === 1) return;
      throw new StoreError("store-epoch", `expected the trust state of epoch ${state.epoch - 1}`);
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
      return readKey(pkcs8, this.#passphrase);
    } catch (cause) {
      throw isEncrypted(pkcs8) ? locked(this.#passphrase, cause) : unreadable(this.#path, cause);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #addKeys(keys: readonly NewSigningKey[], nowMs: number): void {
    const insert = this.#database.prepare(
      "INSERT INTO signing_keys (id, pkcs8, created_at_ms) VALUES (?, ?, ?)",
    );
    for (const { id, privateKeyPkcs8 } of keys) {
      const stored =
        this.#passphrase === undefined
          ? privateKeyPkcs8
          : encryptKey(readKey(privateKeyPkcs8, undefined), this.#passphrase);
      insert.run(id, stored, nowMs);
    }
  }

  /** What they were is overwritten, in the file and in its write-ahead log. */
  #encryptKeys(passphrase: Uint8Array): void {
    const rows = this.#database.prepare("SELECT id, pkcs8 FROM signing_keys").all();
    const clear = rows.filter(({ pkcs8 }) => pkcs8 instanceof Uint8Array && !isEncrypted(pkcs8));
    if (clear.length === 0) return;
    this.#database.exec("PRAGMA secure_delete = ON");
    transaction(this.#database, () => {
      const update = this.#database.prepare("UPDATE signing_keys SET pkcs8 = ? WHERE id = ?");
      for (const { id, pkcs8 } of clear) {
        if (!(pkcs8 instanceof Uint8Array)) continue;
        update.run(encryptKey(readKey(pkcs8, undefined), passphrase), String(id));
      }
    });
    this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #read(query: string, ...values: readonly string[]): Row | undefined {
    try {
      return this.#database.prepare(query).get(...values);
    } catch (cause) {
      throw unreadable(this.#path, cause);
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

/** SQLite reads what a torn file has lost as zeros, and finds nothing. The tables stay small. */
function assertIntact(database: DatabaseSync): void {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  for (const { name } of tables) {
    const check = database.prepare(`PRAGMA integrity_check(${String(name)})`);
    const found = check.get()?.["integrity_check"];
    if (found !== "ok") throw new Error(String(found));
  }
}

function hasTrustState(database: DatabaseSync): boolean {
  return database.prepare("SELECT id FROM trust_state").get() !== undefined;
}

function isEncrypted(pkcs8: Uint8Array): boolean {
  try {
    return isEncryptedKey(pkcs8);
  } catch {
    return false;
  }
}

function locked(passphrase: Uint8Array | undefined, cause: unknown): StoreError {
  return passphrase === undefined
    ? new StoreError("store-key-encrypted", "the signing key is encrypted", {
        cause,
        hint: "give --key-passphrase-file",
      })
    : new StoreError("store-passphrase-wrong", "the passphrase is not that of the signing key", {
        cause,
        hint: "is this the --key-passphrase-file that the directory was made with?",
      });
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
