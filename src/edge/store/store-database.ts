/**
 * The store's file: created, locked, brought to the newest schema, and looked through for damage. One that is not as it
 * was left is refused, and left as it is.
 */

import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { durable, durableTransaction } from "./durable.ts";
import { migrations } from "./migrations.ts";
import { StoreError, unreadable } from "./store-error.ts";

/** Who made the directory: `dev`'s tokens are worth nothing, so a server must not inherit its root. */
export type StoreMaker = "server" | "dev";

export const bundleFileName = "root-cert.pem";

/** @throws StoreError */
export function openDatabase(path: string, dataDir: string, maker: StoreMaker): DatabaseSync {
  // SQLite takes a file of one byte for an empty one, and writes over it.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= 1) refuseLostStore(dataDir);
  let database: DatabaseSync | undefined;
  try {
    // SQLite would create it with the umask's mode; its -wal file takes over the mode of the database.
    durable("store-create", () => closeSync(openSync(path, "a", 0o600)));
    database = new DatabaseSync(path, { timeout: 0 });
    // Exclusive: a second process on this directory fails at once instead of signing beside the first.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("BEGIN IMMEDIATE; COMMIT");
    migrate(database, dataDir);
    claim(database, dataDir, maker);
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof StoreError ? error : unreadable(path, error);
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

function migrate(database: DatabaseSync, dataDir: string): void {
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
    durableTransaction(database, "store-schema", () => {
      database.exec(`${step} PRAGMA user_version = ${version + index + 1}`);
    });
  }
}

/** Whoever opens it first has made it. */
function claim(database: DatabaseSync, dataDir: string, maker: StoreMaker): void {
  const made = database.prepare("SELECT value FROM meta WHERE key = 'maker'").get()?.["value"];
  if (made === maker) return;
  if (made === undefined) {
    return durableTransaction(database, "store-maker", () => {
      database.prepare("INSERT INTO meta (key, value) VALUES ('maker', ?)").run(maker);
    });
  }
  throw new StoreError(
    "store-made-by-dev",
    `${dataDir} was made by \`portcullis ${String(made)}\``,
    { hint: `give \`portcullis ${maker}\` a --data-dir of its own` },
  );
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
