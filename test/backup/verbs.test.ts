/** `portcullis backup` and `portcullis restore` on directories whose server is stopped. */

import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DatabaseSync } from "node:sqlite";
import { encodeTrustState } from "../../src/core/trust/trust-state-codec.ts";
import type { Chunk } from "../../src/core/backup/chunk-format.ts";
import { createBackup } from "../../src/edge/backup/create-backup.ts";
import { DatabaseCopies } from "../../src/edge/backup/database-copies.ts";
import { lockStoppedStore } from "../../src/edge/backup/stopped-store.ts";
import { readMarker } from "../../src/edge/backup/restore-marker-file.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { sampleIntent } from "../support/log-entries.ts";
import { addCertificates, auditOf } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "../server/portcullis-process.ts";
import {
  CERTIFICATES,
  makeDataDirectory,
  openServerLog,
  openServerStore,
  passphrase,
  passphraseFile,
  wholeSecondMs,
} from "./data-directory.ts";

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const path = (name: string): string => join(directory.path, name);
const dataDir = path("data");
const file = path("portcullis.backup");
let secret = "";
let signedMs = 0;

type Words = readonly string[];
const backup = (to: string, ...more: Words): ReturnType<typeof runVerb> =>
  runVerb(["backup", to, "--data-dir", dataDir, "--passphrase-file", secret, ...more]);
const restore = (from: string, to: string, ...more: Words): ReturnType<typeof runVerb> =>
  runVerb(["restore", from, "--data-dir", to, "--passphrase-file", secret, ...more]);

/** Without what SQLite's readers leave beside a log that nobody writes. */
const namesIn = (dir: string): Words =>
  readdirSync(dir)
    .filter((name) => !/-(?:wal|shm)$/.test(name))
    .toSorted();

before(async () => {
  secret = passphraseFile(directory.path);
  signedMs = await makeDataDirectory(dataDir);
  const { status, stderr } = await backup(file, "--operator", "alice");
  assert.equal(status, 0, stderr);
});

describe("portcullis backup", () => {
  it("says what is in it, for people and for programs", async () => {
    const json = await backup(path("json.backup"), "-o", "json");
    const value = JSON.parse(json.stdout);
    assert.deepEqual(
      [value.trustDomain, value.epoch, value.logSize, value.validCertificates, value.denials],
      ["cluster.local", 2, 1 + 2 * CERTIFICATES, CERTIFICATES, 1],
    );
    using reader = LogReader.open(dataDir);
    assert.equal(value.checkpoint, reader.head().checkpoint);
    const table = await backup(path("table.backup"));
    for (const part of [
      "cluster.local, epoch 2",
      "601 entries, root ",
      "300 valid",
      "1 in force",
    ]) {
      assert.ok(table.stdout.includes(part), table.stdout);
    }
  });

  it("is a file for its owner only, and leaves nothing else", async () => {
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(namesIn(dataDir), ["log.db", "portcullis.db"]);
    assert.deepEqual(
      namesIn(directory.path).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("does not replace a file, but by --force", async () => {
    const there = path("there.backup");
    writeFileSync(there, "there");
    const refused = await backup(there);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^error: .*there\.backup is there already\nhint: .*--force$/m);
    assert.equal(readFileSync(there, "utf8"), "there");
    assert.equal((await backup(there, "--force")).status, 0);
    assert.match(readFileSync(there, "latin1"), /^portcullis backup 1\n/);
  });

  it("refuses a directory in which a process is at work", async () => {
    using _ = await openServerStore(dataDir);
    const { status, stderr } = await backup(path("used.backup"));
    assert.equal(status, 1);
    assert.match(stderr, /^error: another process uses .*portcullis\.db\n/);
    assert.ok(!existsSync(path("used.backup")));
  });

  it("refuses a store of a newer version by its number", async () => {
    const newer = path("newer");
    mkdirSync(newer, { mode: 0o700 });
    for (const name of namesIn(dataDir)) copyFileSync(join(dataDir, name), join(newer, name));
    {
      using database = new DatabaseSync(join(newer, "portcullis.db"));
      database.exec("PRAGMA user_version = 99");
    }
    const { status, stderr } = await backup(path("newer.backup"), "--data-dir", newer);
    assert.equal(status, 1);
    assert.match(stderr, /^error: expected schema \d+ at most, got 99\nhint: .*newer portcullis/);
  });

  it("finds a log that is damaged, and gives the file no name", async () => {
    const damaged = path("damaged");
    mkdirSync(damaged, { mode: 0o700 });
    for (const name of namesIn(dataDir)) copyFileSync(join(dataDir, name), join(damaged, name));
    {
      using database = new DatabaseSync(join(damaged, "log.db"));
      database.exec("UPDATE entries SET data = x'0102' WHERE idx = 17");
    }
    const { status, stderr } = await backup(path("damaged.backup"), "--data-dir", damaged);
    assert.equal(status, 1);
    assert.match(stderr, /^error: what is in the backup is damaged: entry 17 of the log: /);
    assert.ok(!existsSync(path("damaged.backup")));
    assert.deepEqual(namesIn(damaged), ["log.db", "portcullis.db"]);
  });

  it("that is interrupted leaves nothing", async () => {
    const interrupted = new AbortController();
    using store = await lockStoppedStore(dataDir);
    const options = { dataDir, copyStore: store.copyTo, version: "0", nowMs: Date.now };
    await using copies = await DatabaseCopies.make(options);
    const data = async function* (): AsyncGenerator<Chunk> {
      for await (const chunk of copies.data()) {
        yield chunk;
        if (chunk.file === "log.db") interrupted.abort();
      }
    };
    const made = createBackup(
      { manifest: copies.manifest, data: data() },
      {
        file: path("interrupted.backup"),
        force: false,
        dataDir,
        passphrase: Buffer.from(passphrase),
        nowMs: Date.now(),
        signal: interrupted.signal,
      },
    );
    await assert.rejects(made, { name: "AbortError" });
    assert.deepEqual(
      namesIn(directory.path).filter((name) => name.includes("interrupted")),
      [],
    );
  });

  const wrong: readonly (readonly [string, () => Words, RegExp])[] = [
    [
      "a passphrase of 11 characters",
      () => ["--passphrase-file", passphraseFile(directory.path, "elevenchars")],
      /^error: .*expected a passphrase of at least 12 characters, got 11\nhint: /,
    ],
    [
      "a directory without a server's files",
      () => ["--data-dir", directory.path],
      /^error: .* has no portcullis\.db\nhint: /,
    ],
  ];
  for (const [what, flags, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const { status, stderr } = await backup(path("wrong.backup"), ...flags());
      assert.equal(status, 1);
      assert.match(stderr, message);
      assert.ok(!existsSync(path("wrong.backup")));
    });
  }

  it("refuses a FILE in a missing directory, in a file, and one that is a directory", async () => {
    for (const [to, reason] of [
      ["missing/x.backup", "no such file or directory"],
      ["portcullis.backup/x", "expected a directory"],
      ["data", "expected a file"],
    ] as const) {
      const { status, stderr } = await backup(path(to), "--force");
      assert.equal(status, 1);
      assert.ok(stderr.includes(reason), stderr);
    }
  });
});

describe("portcullis restore", () => {
  it("gives the directory back as it was, with what the first start must know", async () => {
    const to = path("restored");
    const { status, stdout, stderr } = await restore(file, to, "--operator", "bob");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^trust domain: +cluster\.local, epoch 2$/m);
    assert.match(
      stderr,
      /denials added after \S+Z are not in it: run `portcullis deny list --data-dir /,
    );
    assert.match(stderr, /^next: portcullis server --data-dir /m);
    assert.deepEqual(namesIn(to), ["log.db", "portcullis.db", "restore.json", "root-cert.pem"]);
    assert.equal(statSync(to).mode & 0o777, 0o700);
    for (const name of ["log.db", "portcullis.db", "restore.json"]) {
      assert.equal(statSync(join(to, name)).mode & 0o777, 0o600);
    }
    const { fault, checkpoint } = auditOf(to);
    assert.equal(fault, undefined);
    const marker = await readMarker(to);
    using reader = LogReader.open(dataDir);
    assert.deepEqual(
      [marker?.operator, marker?.checkpoint, marker?.newest, marker?.longestLifeMs],
      ["bob", reader.head().checkpoint, "", signedMs + 86_400_000 - sampleIntent().notBeforeMs],
    );
    assert.equal(checkpoint.size, reader.head().size);
    using before = await openServerStore(dataDir);
    using store = await openServerStore(to);
    const [old, now] = [before.loadTrustState(), store.loadTrustState()];
    assert.ok(old !== undefined && now !== undefined);
    assert.equal(encodeTrustState(now), encodeTrustState(old));
    assert.deepEqual(store.denials.load().denials, before.denials.load().denials);
    for (const { id } of now.authorities) assert.ok(store.signingKey(id));
  });

  it("takes the newest of the checkpoints that agents hold, as a note or in their file", async () => {
    const ahead = path("ahead");
    assert.equal((await restore(file, ahead)).status, 0);
    const notes: string[] = [];
    {
      await using log = await openServerLog(ahead);
      for (const first of [1_000, 2_000]) {
        await addCertificates(log, first, 5, wholeSecondMs() + first);
        notes.push(log.reader.head().checkpoint);
      }
    }
    const [older = "", newest = ""] = notes;
    writeFileSync(path("older"), older);
    writeFileSync(path("witness.json"), JSON.stringify({ version: 1, note: newest }));
    const flags = ["older", "witness.json"].flatMap((name) => ["--newest-checkpoint", path(name)]);
    const to = path("with-checkpoint");
    const { status, stderr } = await restore(file, to, ...flags);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /need not wait for its agents/);
    assert.equal((await readMarker(to))?.newest, newest);
  });

  it("refuses a checkpoint of another log, and writes nothing", async () => {
    writeFileSync(path("foreign"), "cluster.local/portcullis/log\n9\nAAAA\n\n— x AAAAAAAA\n");
    const to = path("foreign-checkpoint");
    const { status, stderr } = await restore(file, to, "--newest-checkpoint", path("foreign"));
    assert.equal(status, 1);
    assert.match(stderr, /^error: .*foreign: expected a checkpoint of the log in this backup: /);
    assert.ok(!existsSync(to));
  });

  it("refuses a directory that is not empty, says what to move away, and touches nothing", async () => {
    const before = readFileSync(join(dataDir, "portcullis.db"));
    const { status, stderr } = await restore(file, dataDir);
    assert.equal(status, 1);
    assert.match(stderr, /^error: expected .*data to be empty or absent, got log\.db/);
    assert.match(stderr, /^hint: .*mv '.*data' '.*data\.old'$/m);
    assert.ok(before.equals(readFileSync(join(dataDir, "portcullis.db"))));
  });

  it("takes a directory that is empty, but for a lost+found and what a killed restore left", async () => {
    const to = path("mounted");
    for (const name of ["", "lost+found", ".restore-a1B2c3"]) {
      mkdirSync(join(to, name), { recursive: true, mode: 0o700 });
    }
    const { status, stderr } = await restore(file, to);
    assert.equal(status, 0, stderr);
    assert.ok(existsSync(join(to, "portcullis.db")));
  });

  it("refuses a directory that others can enter, or a link to one", async () => {
    const open = path("open");
    mkdirSync(join(open, "lost+found"), { recursive: true });
    chmodSync(open, 0o755);
    assert.match((await restore(file, open)).stderr, /expected mode 700, got 755/);
    mkdirSync(path("empty"), { mode: 0o700 });
    symlinkSync(path("empty"), path("link"));
    assert.match((await restore(file, path("link"))).stderr, /got a symbolic link/);
    assert.deepEqual(namesIn(path("empty")), []);
  });

  it("refuses a wrong passphrase, and writes nothing", async () => {
    const to = path("wrong-passphrase");
    const wrong = passphraseFile(directory.path, "another passphrase");
    const { status, stderr } = await restore(file, to, "--passphrase-file", wrong);
    assert.equal(status, 1);
    assert.match(stderr, /^error: the passphrase is not that of this backup/);
    assert.ok(!existsSync(to));
  });

  it("refuses a backup that is cut off or changed, and writes nothing", async () => {
    const bytes = readFileSync(file);
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 100_000] = (flipped[bytes.length - 100_000] ?? 0) ^ 1;
    for (const [changed, message] of [
      [bytes.subarray(0, -1), /^error: the backup ends at chunk \d+, before its last\nhint: /],
      [flipped, /^error: chunk \d+ is not what was written\nhint: /],
      [bytes.subarray(0, 10), /^error: this is no backup: /],
    ] as const) {
      writeFileSync(path("changed.backup"), changed);
      const { status, stderr } = await restore(path("changed.backup"), path("changed"));
      assert.equal(status, 1);
      assert.match(stderr, message);
      assert.ok(!existsSync(path("changed")));
    }
  });
});
