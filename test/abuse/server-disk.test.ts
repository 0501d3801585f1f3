/** Disks that are full or read-only: a server signs only what it can record, says why, and goes on by itself when it can. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { dialWire, type WireReply } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { assertSays, readiness, runOnce, type DataDirectory } from "./server-probes.ts";
import { expectAccounted, takeCertificate, takeSome, type Receipts } from "./server-rig.ts";

const unavailable = 14;

function mount(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** An empty file system of 8 MiB. */
function smallDisk(): DataDirectory {
  const directory = temporaryDirectory();
  mount("-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", directory.path);
  return {
    path: directory.path,
    [Symbol.dispose]: () => {
      spawnSync("umount", ["--lazy", directory.path]);
      directory[Symbol.dispose]();
    },
  };
}

function canMount(): boolean {
  if (process.platform !== "linux" || process.geteuid?.() !== 0) return false;
  using directory = temporaryDirectory();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", directory.path]);
  if (status === 0) spawnSync("umount", [directory.path]);
  return status === 0;
}

const ballastOf = ({ path }: DataDirectory): string => join(path, "ballast");

function fill(disk: DataDirectory): void {
  const { bavail, bsize } = statfsSync(disk.path);
  try {
    writeFileSync(ballastOf(disk), Buffer.alloc(bavail * bsize));
  } catch {
    // The last page may be somebody else's by now.
  }
}

const options = { skip: canMount() ? false : "needs root on Linux, to mount a small file system" };

describe("a server on a full disk", options, () => {
  it("gives nobody anything, says so, and signs again when there is room", async () => {
    using disk = smallDisk();
    const receipts: Receipts = new Map();
    await runOnce(disk, async (it) => {
      await takeSome(it, receipts, 3);
      fill(disk);
      await using connection = dialWire(it);
      // The pages of the write-ahead log that are there already are written over first.
      let refused: WireReply | undefined;
      for (let each = 0; each < 2_000 && refused === undefined; each++) {
        const reply = await takeCertificate(connection, `w-${each % 50}`, receipts);
        if (reply.code !== 0) refused = reply;
      }
      assert.equal(refused?.code, unavailable);
      assert.equal(refused.message, "nothing can be recorded now: try again");
      assert.ok(Number(refused.metadata["grpc-retry-pushback-ms"]) > 0);
      await assertSays(it, /^503 .*cannot be written/, "portcullis_log_writable", 0);
      rmSync(ballastOf(disk));
      // While probes keep callers away, nobody asks.
      await eventually(async () => (await readiness(it)) === "200 ok", 15_000);
      await assertSays(it, /^200 ok$/, "portcullis_log_writable", 1);
      await takeSome(it, receipts, 3);
    });
    assert.deepEqual((await expectAccounted(disk.path, receipts)).open, []);
  });

  it("does not start, says why, and starts when there is room", async () => {
    using disk = smallDisk();
    const receipts: Receipts = new Map();
    await runOnce(disk, (it) => takeSome(it, receipts, 3));
    fill(disk);
    await assert.rejects(runOnce(disk), /cannot be written: .*full/);
    rmSync(ballastOf(disk));
    await runOnce(disk, (it) => takeSome(it, receipts, 1));
    await expectAccounted(disk.path, receipts);
  });

  it("that is read-only does not start, says why, and starts when it can be written", async () => {
    using disk = smallDisk();
    const receipts: Receipts = new Map();
    await runOnce(disk, (it) => takeSome(it, receipts, 3));
    mount("-o", "remount,ro", disk.path);
    await assert.rejects(runOnce(disk), /cannot be written: it is read-only/);
    mount("-o", "remount,rw", disk.path);
    await runOnce(disk, (it) => takeSome(it, receipts, 1));
    await expectAccounted(disk.path, receipts);
  });
});
