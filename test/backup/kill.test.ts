/** `kill -9` in the middle of a restore: there is the whole directory, or one that no server makes a root of its own in. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createBackup } from "../../src/edge/backup/create-backup.ts";
import { removeLeftCopies } from "../../src/edge/backup/copy-directory.ts";
import { DatabaseCopies } from "../../src/edge/backup/database-copies.ts";
import { lockStoppedStore } from "../../src/edge/backup/stopped-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeDataDirectory, openServerStore, passphrase } from "./data-directory.ts";

const preload = join(import.meta.dirname, "../log/kill-at-durable.ts");
const program = join(import.meta.dirname, "restore-process.ts");
/** Two files in the directory of copies, then four names. */
const replacements = 6;

async function makeBackup(file: string, dataDir: string): Promise<void> {
  await makeDataDirectory(dataDir);
  using store = await lockStoppedStore(dataDir);
  const options = { dataDir, copyStore: store.copyTo, version: "0", nowMs: Date.now };
  await using copies = await DatabaseCopies.make(options);
  await createBackup(
    { manifest: copies.manifest, data: copies.data() },
    {
      file,
      force: false,
      dataDir,
      passphrase: Buffer.from(passphrase),
      nowMs: Date.now(),
      signal: new AbortController().signal,
    },
  );
}

/** @param kill the durable write; "" for none */
async function restoreIn(file: string, dataDir: string, kill: string): Promise<string | null> {
  const args = ["--import", preload, program, file, dataDir, passphrase];
  const env = { ...process.env, PORTCULLIS_TEST_KILL: kill };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const [, signal] = await once(child, "exit");
  return signal;
}

describe("kill -9 in a restore", async () => {
  const directory = temporaryDirectory();
  after(() => directory[Symbol.dispose]());
  const file = join(directory.path, "x.backup");
  await makeBackup(file, join(directory.path, "data"));

  for (let count = 1; count <= replacements; count++) {
    for (const moment of ["before", "after"]) {
      it(`${moment} name ${count} of ${replacements} leaves no half of a server`, async () => {
        const to = join(directory.path, `${moment}-${count}`);
        assert.equal(await restoreIn(file, to, `file-replace:${moment}:${count}`), "SIGKILL");
        await removeLeftCopies(to);
        if (existsSync(join(to, "portcullis.db"))) {
          using store = await openServerStore(to);
          assert.ok(store.loadTrustState() !== undefined);
          for (const name of ["log.db", "restore.json", "root-cert.pem"]) {
            assert.ok(existsSync(join(to, name)), `${name} is missing`);
          }
        } else if (existsSync(join(to, "root-cert.pem"))) {
          await assert.rejects(openServerStore(to), { code: "store-lost" });
        } else {
          // It had not begun: the same command again does it.
          assert.equal(await restoreIn(file, to, ""), null);
          using store = await openServerStore(to);
          assert.ok(store.loadTrustState() !== undefined);
        }
      });
    }
  }
});
