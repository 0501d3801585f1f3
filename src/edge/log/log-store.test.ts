import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { LOG_NOW_MS } from "../../../test/support/log-entries.ts";
import {
  addCertificates,
  auditOf,
  logOrigin,
  logVerifier,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { LogError, type LogErrorCode } from "../../core/log/log-error.ts";
import { encodeVerifierKey } from "../../core/log/note-key.ts";
import { LogReader } from "./log-reader.ts";
import { logMigrations } from "./log-schema.ts";
import type { LogStoreOptions } from "./log-store.ts";

const databaseOf = ({ path }: { readonly path: string }): string => join(path, "log.db");

/** A log of 700 certificates, closed. */
async function usedDirectory(): Promise<Disposable & { readonly path: string }> {
  const directory = temporaryDirectory();
  await using store = await openStore(directory.path);
  await addCertificates(store, 0, 700);
  return directory;
}

function isCode(...codes: readonly LogErrorCode[]): (error: unknown) => boolean {
  return (error) => error instanceof LogError && codes.includes(error.code);
}

/** Refused, and the file is as it was. */
async function refuses(
  directory: { readonly path: string },
  codes: readonly LogErrorCode[],
  options: Partial<LogStoreOptions> = {},
): Promise<void> {
  const before = readFileSync(databaseOf(directory));
  await assert.rejects(openStore(directory.path, options), isCode(...codes));
  assert.deepEqual(readFileSync(databaseOf(directory)), before);
}

function change(directory: { readonly path: string }, sql: string): void {
  using database = new DatabaseSync(databaseOf(directory));
  database.exec(sql);
}

describe("a new log", () => {
  it("begins with an event that has the log's key, under a signed checkpoint", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    const { size, checkpoint } = store.reader.head();
    assert.equal(size, 1);
    assert.equal(openCheckpoint(checkpoint, [logVerifier]).size, 1);
    const entry = decodeEntry(store.reader.entry(0) ?? new Uint8Array());
    assert.ok(entry.kind === "event" && entry.type === "log-started");
    assert.equal(entry.subject, logOrigin);
    assert.equal(entry.detail, encodeVerifierKey(logVerifier));
    assert.equal(entry.timeMs, LOG_NOW_MS);
  });

  it("is closed to everybody else whatever the umask, and leaves no second file when closed", async () => {
    using directory = temporaryDirectory();
    const umask = process.umask(0);
    try {
      const store = await openStore(directory.path);
      const modes = readdirSync(directory.path).map((name) => {
        return statSync(join(directory.path, name)).mode & 0o777;
      });
      assert.deepEqual(new Set(modes), new Set([0o600]));
      await store[Symbol.asyncDispose]();
    } finally {
      process.umask(umask);
    }
    assert.deepEqual(readdirSync(directory.path), ["log.db"]);
  });

  it("takes the place of a file that was created and never written", async () => {
    using directory = temporaryDirectory();
    writeFileSync(databaseOf(directory), "", { mode: 0o600 });
    await using store = await openStore(directory.path);
    assert.equal(store.reader.head().size, 1);
  });

  it("is not made where there has been one before", async () => {
    using directory = temporaryDirectory();
    await assert.rejects(openStore(directory.path, { mustExist: true }), isCode("log-lost"));
    assert.deepEqual(readdirSync(directory.path), []);
    writeFileSync(databaseOf(directory), "", { mode: 0o600 });
    await refuses(directory, ["log-lost"], { mustExist: true });
    assert.throws(() => LogReader.open(join(directory.path, "none")), isCode("log-lost"));
  });

  it("is not made over the rest of one", async () => {
    using directory = await usedDirectory();
    change(directory, "UPDATE head SET size = 0, checkpoint = ''");
    await refuses(directory, ["log-damaged"]);
  });
});

describe("a log that is opened again", () => {
  it("goes on where it was", async () => {
    using directory = await usedDirectory();
    await using store = await openStore(directory.path, { mustExist: true });
    assert.equal(store.reader.head().size, 1_401);
    await addCertificates(store, 700, 300);
    assert.equal(auditOf(directory.path).fault, undefined);
  });

  it("is refused under another key or another name", async () => {
    using directory = await usedDirectory();
    const { privateKey } = generateKeyPairSync("ed25519");
    await refuses(directory, ["log-key-mismatch"], { signingKey: privateKey });
    await refuses(directory, ["log-key-mismatch"], { origin: "other.example/portcullis/log" });
  });

  it("is refused when a newer version wrote it, by readers, too", async () => {
    using directory = await usedDirectory();
    change(directory, `PRAGMA user_version = ${logMigrations.length + 1}`);
    await refuses(directory, ["log-newer"]);
    assert.throws(() => LogReader.open(directory.path), isCode("log-newer"));
  });

  it("is refused when it is no database", async () => {
    using directory = await usedDirectory();
    writeFileSync(databaseOf(directory), "not a database, but long enough to be one".repeat(200));
    await refuses(directory, ["log-unreadable"]);
    assert.throws(() => LogReader.open(directory.path), isCode("log-unreadable"));
  });

  it("is refused when it is cut off anywhere", async () => {
    using directory = await usedDirectory();
    const whole = readFileSync(databaseOf(directory));
    for (let length = 2; length < whole.length; length += length < 4_096 ? 1_365 : 37_000) {
      writeFileSync(databaseOf(directory), whole.subarray(0, length));
      await refuses(directory, ["log-unreadable", "log-damaged"]);
    }
  });

  for (const [what, sql] of [
    ["an entry of the last tile is missing", "DELETE FROM entries WHERE idx = 1399"],
    ["its last entry is missing", "DELETE FROM entries WHERE idx = 1400"],
    ["an entry was added", "INSERT INTO entries SELECT 1401, data FROM entries WHERE idx = 1400"],
    ["an entry of the last tile is another", "UPDATE entries SET data = x'00' WHERE idx = 1399"],
    ["its last entry is another", "UPDATE entries SET data = x'00' WHERE idx = 1400"],
    ["a tile is missing", "DELETE FROM tiles WHERE level = 0 AND idx = 2"],
    ["the root of a tile is another", "UPDATE tiles SET root = zeroblob(32) WHERE idx = 2"],
    ["its head is missing", "DELETE FROM head"],
    ["its checkpoint is none", "UPDATE head SET checkpoint = 'none'"],
  ] as const) {
    it(`is refused when ${what}`, async () => {
      using directory = await usedDirectory();
      change(directory, sql);
      await refuses(directory, ["log-damaged"]);
    });
  }
});

describe("a write-ahead log that was left behind", () => {
  /** As a server that was killed leaves it. */
  async function killedDirectory(): Promise<Disposable & { readonly path: string }> {
    const copy = temporaryDirectory();
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    await addCertificates(store, 0, 100);
    for (const name of ["log.db", "log.db-wal"]) {
      copyFileSync(join(directory.path, name), join(copy.path, name));
    }
    return copy;
  }

  it("is taken along", async () => {
    using directory = await killedDirectory();
    await using store = await openStore(directory.path, { mustExist: true });
    assert.equal(store.reader.head().size, 201);
  });

  it("that is cut off anywhere gives a whole log of some commits before", async () => {
    using source = await killedDirectory();
    const { size } = statSync(`${databaseOf(source)}-wal`);
    const sizes = new Set<number>();
    for (let length = size; length > 0; length -= 9_111) {
      using directory = temporaryDirectory();
      for (const name of ["log.db", "log.db-wal"]) {
        copyFileSync(join(source.path, name), join(directory.path, name));
      }
      truncateSync(`${databaseOf(directory)}-wal`, length);
      await using store = await openStore(directory.path);
      sizes.add(store.reader.head().size);
      assert.equal(auditOf(directory.path).fault, undefined);
    }
    assert.deepEqual([...sizes], [201, 101, 1]);
  });

  it("that is missing is no reason to begin anew", async () => {
    using directory = await killedDirectory();
    unlinkSync(`${databaseOf(directory)}-wal`);
    await refuses(directory, ["log-lost"], { mustExist: true });
  });
});
