/** A disk without room, for each of those that a backup is made on: a small file system of its own, which only root may mount. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runVerb } from "../server/portcullis-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { makeDataDirectory, passphraseFile } from "./data-directory.ts";

const directory = temporaryDirectory();
after(() => directory[Symbol.dispose]());
const path = (name: string): string => join(directory.path, name);

function smallDisk(size: string): Disposable & { readonly path: string } {
  const place = temporaryDirectory();
  const mount = ["-t", "tmpfs", "-o", `size=${size},mode=700`, "tmpfs", place.path];
  assert.equal(spawnSync("mount", mount).status, 0);
  return {
    path: place.path,
    [Symbol.dispose]: () => {
      spawnSync("umount", ["--lazy", place.path]);
      place[Symbol.dispose]();
    },
  };
}

function canMount(): boolean {
  if (process.platform !== "linux" || process.geteuid?.() !== 0) return false;
  using place = temporaryDirectory();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", place.path]);
  if (status === 0) spawnSync("umount", [place.path]);
  return status === 0;
}

const options = { skip: canMount() ? false : "needs root on Linux, to mount a small file system" };

describe("a disk without room", options, () => {
  let secret = "";
  const backup = (file: string, dataDir: string): ReturnType<typeof runVerb> =>
    runVerb(["backup", file, "--data-dir", dataDir, "--passphrase-file", secret]);

  before(async () => {
    secret = passphraseFile(directory.path);
    await makeDataDirectory(path("data"));
  });

  it("for the file of a backup leaves none there", async () => {
    using disk = smallDisk("64k");
    const { status, stderr } = await backup(join(disk.path, "x.backup"), path("data"));
    assert.equal(status, 1);
    assert.match(stderr, /^error: .*x\.backup.*: no space left on device\n/);
    assert.deepEqual(readdirSync(disk.path), []);
  });

  it("for the copies is noticed before the server's log has none to grow", async () => {
    using disk = smallDisk("32m");
    const dataDir = join(disk.path, "data");
    await makeDataDirectory(dataDir);
    const { status, stderr } = await backup(path("x.backup"), dataDir);
    assert.equal(status, 1);
    assert.match(stderr, /^error: expected \d+ MiB free in .*, got \d+ MiB\nhint: make room/);
    assert.deepEqual(
      readdirSync(dataDir).filter((name) => name.startsWith(".")),
      [],
    );
  });

  it("for a restore leaves nothing of it", async () => {
    using disk = smallDisk("32m");
    assert.equal((await backup(path("good.backup"), path("data"))).status, 0);
    const flags = ["--data-dir", join(disk.path, "data"), "--passphrase-file", secret];
    const { status, stderr } = await runVerb(["restore", path("good.backup"), ...flags]);
    assert.equal(status, 1);
    assert.match(stderr, /^error: expected \d+ MiB free in /);
    assert.deepEqual(readdirSync(disk.path), []);
  });
});
