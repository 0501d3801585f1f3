/**
 * The embedded store: one SQLite file in the data directory, write-ahead log, full sync, one process at a time. What it
 * cannot read it refuses; it never starts afresh over something that is there.
 */

import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { PortcullisError } from "../../core/error.ts";
import type { DenyList } from "../../core/deny/deny-list.ts";
import type { TrustState } from "../../core/trust/trust-state.ts";
import { ensurePrivateDir } from "../config/private-files.ts";
import { StoredCallerWaivers } from "./caller-waivers.ts";
import { StoredDenials } from "./denials.ts";
import { durableTransaction } from "./durable.ts";
import { Enrolments } from "./enrolments.ts";
import { Facts } from "./facts.ts";
import { StoredFlips } from "./flips.ts";
import { JoinTokens } from "./join-tokens.ts";
import { StoredResources } from "./resources.ts";
import { SigningKeys, type NewSigningKey } from "./signing-keys.ts";
import { openDatabase, type StoreMaker } from "./store-database.ts";
import { StoreError, unreadable } from "./store-error.ts";
import {
  insertTrustState,
  overwriteTrustState,
  readTrustState,
  updateTrustState,
} from "./trust-table.ts";
import { StoredWaivers } from "./waivers.ts";

export { StoreError, type StoreErrorCode } from "./store-error.ts";
export { bundleFileName, type StoreMaker } from "./store-database.ts";
export type { NewSigningKey } from "./signing-keys.ts";

export interface NewTrust {
  readonly state: TrustState;
  /** Of the authorities that are new with it; PKCS#8, DER. */
  readonly keys: readonly NewSigningKey[];
  readonly nowMs: number;
}

export interface NextTrust extends NewTrust {
  /** IDs of keys that nothing may be signed with any more. */
  readonly destroyed?: readonly string[];
}

export interface AdoptedTrust extends Required<NextTrust> {
  /** Whose digest the state has. */
  readonly denials: DenyList;
}

export class Store implements Disposable {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #keys: SigningKeys;
  readonly denials: StoredDenials;
  readonly facts: Facts;
  readonly joinTokens: JoinTokens;
  readonly enrolments: Enrolments;
  readonly waivers: StoredWaivers;
  readonly resources: StoredResources;
  readonly flips: StoredFlips;
  readonly callerWaivers: StoredCallerWaivers;

  private constructor(path: string, database: DatabaseSync, keys: SigningKeys) {
    this.#path = path;
    this.#database = database;
    this.#keys = keys;
    this.denials = new StoredDenials(path, database);
    this.facts = new Facts(database);
    this.joinTokens = new JoinTokens(database);
    this.enrolments = new Enrolments(database);
    this.waivers = new StoredWaivers(database);
    this.resources = new StoredResources(path, database);
    this.flips = new StoredFlips(path, database);
    this.callerWaivers = new StoredCallerWaivers(database);
  }

  /**
   * @param passphrase under which keys are kept; those that are there in the clear are encrypted now
   * @throws StoreError, PrivateFileError
   */
  static async open(dataDir: string, maker: StoreMaker, passphrase?: Uint8Array): Promise<Store> {
    await ensurePrivateDir(dataDir);
    const path = join(dataDir, "portcullis.db");
    const database = openDatabase(path, dataDir, maker);
    try {
      const keys = new SigningKeys(path, database, passphrase);
      if (passphrase !== undefined) keys.encryptAll(passphrase);
      // The process that destroyed a key may have been killed before it was gone from the write-ahead log.
      keys.tryScrub();
      return new Store(path, database, keys);
    } catch (error) {
      database.close();
      throw error instanceof StoreError ? error : unreadable(path, error);
    }
  }

  /** Undefined in a directory that has never had a trust state. @throws StoreError, TrustStateError */
  loadTrustState(): TrustState | undefined {
    try {
      return readTrustState(this.#database);
    } catch (error) {
      throw error instanceof PortcullisError ? error : unreadable(this.#path, error);
    }
  }

  /** The first trust state and its keys, together or not at all. */
  initialize({ state, keys, nowMs }: NewTrust): void {
    durableTransaction(this.#database, "trust-initialize", () => {
      this.#keys.add(keys, nowMs);
      insertTrustState(this.#database, state);
    });
  }

  /** With new keys, and without those that are needed no more. @throws StoreError `store-epoch`: somebody else has changed it */
  replaceTrustState({ state, keys, destroyed = [], nowMs }: NextTrust): void {
    durableTransaction(this.#database, "trust-replace", () => {
      this.#keys.add(keys, nowMs);
      this.#keys.destroy(destroyed);
      updateTrustState(this.#database, state);
    });
    if (destroyed.length > 0) this.#keys.tryScrub();
  }

  /** The trust of another store in the place of what is here, whatever that is; or nothing of it. */
  adoptTrust({ state, keys, denials, destroyed, nowMs }: AdoptedTrust): void {
    durableTransaction(this.#database, "trust-adopt", () => {
      for (const key of keys) this.#keys.adopt(key, nowMs);
      this.#keys.destroy(destroyed);
      overwriteTrustState(this.#database, state);
      this.denials.adopt(denials);
    });
    if (destroyed.length > 0) this.#keys.tryScrub();
  }

  /** As it lies here. @throws StoreError `store-unreadable` */
  keyAtRest(id: string): Uint8Array | undefined {
    return this.#keys.atRest(id);
  }

  /** Where a destroyed key could not be overwritten at once: tries again. */
  scrub(): void {
    if (this.#keys.owesScrub) this.#keys.tryScrub();
  }

  /** @throws StoreError `store-key-missing`, and as `findKey` */
  signingKey(id: string): KeyObject {
    const key = this.#keys.find(id);
    if (key !== undefined) return key;
    throw new StoreError("store-key-missing", `no signing key for authority ${id}`, {
      hint: "restore the data directory from a backup",
    });
  }

  /** @throws StoreError `store-key-encrypted`, `store-passphrase-wrong`, `store-unreadable` */
  findKey(id: string): KeyObject | undefined {
    return this.#keys.find(id);
  }

  /** Whether one is there, under whatever passphrase. @throws StoreError `store-unreadable` */
  hasKey(id: string): boolean {
    return this.#keys.has(id);
  }

  /** One that is no authority's, and is new. Durable when it returns. */
  keepKey(key: NewSigningKey, nowMs: number): void {
    durableTransaction(this.#database, "key-keep", () => this.#keys.add([key], nowMs));
  }

  /** Of keys that are no authority's. Durable when it returns. */
  destroyKeys(ids: readonly string[]): void {
    durableTransaction(this.#database, "key-keep", () => this.#keys.destroy(ids));
    this.#keys.tryScrub();
  }

  /** What is committed, in one file without free pages. @param path of a file that is empty. @throws whatever SQLite throws */
  copyTo(path: string): void {
    this.#database.prepare("VACUUM INTO ?").run(path);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
