/** The signing keys in the store, encrypted where there is a passphrase. */

import type { KeyObject } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { durable, durableTransaction } from "./durable.ts";
import { encryptKey, isEncryptedKey, readKey } from "./key-at-rest.ts";
import { StoreError, unreadable } from "./store-error.ts";

export interface NewSigningKey {
  readonly id: string;
  readonly privateKeyPkcs8: Uint8Array;
}

export class SigningKeys {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #passphrase: Uint8Array | undefined;
  /** Whether a key may still be in the write-ahead log. */
  owesScrub = false;

  constructor(path: string, database: DatabaseSync, passphrase: Uint8Array | undefined) {
    this.#path = path;
    this.#database = database;
    this.#passphrase = passphrase;
    // What is deleted is overwritten with zeros (https://www.sqlite.org/pragma.html#pragma_secure_delete).
    database.exec("PRAGMA secure_delete = ON");
  }

  /** In the transaction of what they are new with. */
  add(keys: readonly NewSigningKey[], nowMs: number): void {
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

  /**
   * Of another store, as it lies there; takes the place of one of its ID. In the transaction of what they are needed for.
   * @throws StoreError `store-key-encrypted`, `store-passphrase-wrong`, `store-unreadable`
   */
  adopt({ id, privateKeyPkcs8: atRest }: NewSigningKey, nowMs: number): void {
    const key = this.#read(atRest);
    const isOurs = this.#passphrase === undefined || isEncrypted(atRest);
    const stored = isOurs ? atRest : encryptKey(key, this.#passphrase);
    this.#database
      .prepare("INSERT OR REPLACE INTO signing_keys (id, pkcs8, created_at_ms) VALUES (?, ?, ?)")
      .run(id, stored, nowMs);
  }

  /** As it lies here. @throws StoreError `store-unreadable` */
  atRest(id: string): Uint8Array | undefined {
    const stored = this.#stored(id);
    return stored instanceof Uint8Array ? stored : undefined;
  }

  /** @throws StoreError `store-unreadable` */
  has(id: string): boolean {
    return this.#stored(id) instanceof Uint8Array;
  }

  /** @throws StoreError `store-key-encrypted`, `store-passphrase-wrong`, `store-unreadable` */
  find(id: string): KeyObject | undefined {
    const pkcs8 = this.atRest(id);
    return pkcs8 && this.#read(pkcs8);
  }

  #read(pkcs8: Uint8Array): KeyObject {
    try {
      return readKey(pkcs8, this.#passphrase);
    } catch (cause) {
      throw isEncrypted(pkcs8) ? locked(this.#passphrase, cause) : unreadable(this.#path, cause);
    }
  }

  /** What is there in the clear is encrypted, and what it was is overwritten: in the file, and in its write-ahead log. */
  encryptAll(passphrase: Uint8Array): void {
    const rows = this.#database.prepare("SELECT id, pkcs8 FROM signing_keys").all();
    const clear = rows.filter(({ pkcs8 }) => pkcs8 instanceof Uint8Array && !isEncrypted(pkcs8));
    if (clear.length > 0) {
      durableTransaction(this.#database, "keys-encrypt", () => {
        const update = this.#database.prepare("UPDATE signing_keys SET pkcs8 = ? WHERE id = ?");
        for (const { id, pkcs8 } of clear) {
          if (!(pkcs8 instanceof Uint8Array)) continue;
          update.run(encryptKey(readKey(pkcs8, undefined), passphrase), String(id));
        }
      });
    }
    // Also where none is left in the clear: the process that encrypted them may have been killed before this.
    this.scrub();
  }

  /** In the transaction of what makes them useless; to be followed by `scrub`. */
  destroy(ids: readonly string[]): void {
    const remove = this.#database.prepare("DELETE FROM signing_keys WHERE id = ?");
    for (const id of ids) remove.run(id);
  }

  /** What was a key in the write-ahead log is there no more. */
  scrub(): void {
    this.owesScrub = true;
    durable("keys-scrub", () => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    this.owesScrub = false;
  }

  /** What was committed before it stays so, also where the disk is full now. */
  tryScrub(): void {
    try {
      this.scrub();
    } catch {
      // It is owed.
    }
  }

  #stored(id: string): unknown {
    try {
      return this.#database.prepare("SELECT pkcs8 FROM signing_keys WHERE id = ?").get(id)?.[
        "pkcs8"
      ];
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }
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
