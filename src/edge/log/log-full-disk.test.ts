/** A disk that is full, and one that is read-only: small file systems of their own, which only root may mount. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  sampleEvent,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { addCertificates, auditOf, openStore } from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { LogError, type LogErrorCode } from "../../core/log/log-error.ts";
import { LogReader } from "./log-reader.ts";

function isCode(code: LogErrorCode, reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof LogError && error.code === code && reason.test(error.message);
}

/** An empty file system of 4 MiB. */
function smallDisk(): Disposable & { readonly path: string } {
  const directory = temporaryDirectory();
  mount("-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", directory.path);
  return {
    path: directory.path,
    [Symbol.dispose]: () => {
      spawnSync("umount", ["--lazy", directory.path]);
      directory[Symbol.dispose]();
    },
  };
}

function mount(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("mount", args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

function canMount(): boolean {
  if (process.platform !== "linux" || process.geteuid?.() !== 0) return false;
  using directory = temporaryDirectory();
  const { status } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", directory.path]);
  if (status === 0) spawnSync("umount", [directory.path]);
  return status === 0;
}

const options = { skip: canMount() ? false : "needs root on Linux, to mount a small file system" };

function fill(path: string): void {
  const { bavail, bsize } = statfsSync(path);
  try {
    writeFileSync(join(path, "ballast"), Buffer.alloc(bavail * bsize));
  } catch {
    // The last page may be somebody else's by now.
  }
}

describe("a full disk", options, () => {
  it("refuses each append, and a result that was not written goes along with the next", async () => {
    using disk = smallDisk();
    chmodSync(disk.path, 0o700);
    await using store = await openStore(disk.path);
    const { writer, reader } = store;
    await addCertificates(store, 0, 100);
    const { firstIndex } = await writer.append([sampleIntent({ serial: serialOf(500) })]);
    const size = reader.head().size;
    fill(disk.path);
    const failed = isCode("log-unwritable", /ENOSPC/);
    // The pages of the write-ahead log that are there already are written over first.
    const many = Array.from({ length: 500 }, () => sampleEvent({ detail: "x".repeat(4_096) }));
    const results = [sampleResult({ serial: serialOf(500), intentIndex: firstIndex })];
    await assert.rejects(writer.append([...many, ...results]), failed);
    await assert.rejects(writer.append(many), failed);
    assert.ok(writer.state.failure !== undefined && !writer.state.isDead);
    assert.equal(writer.state.openIntents, 1);
    rmSync(join(disk.path, "ballast"));
    await writer.append([sampleEvent()]);
    assert.equal(writer.state.failure, undefined);
    assert.equal(writer.state.openIntents, 0);
    assert.equal(reader.head().size, size + 2);
    assert.equal(reader.certificates.bySerial(serialOf(500))?.result?.outcome, "signed");
    assert.equal(auditOf(disk.path).fault, undefined);
  });

  it("refuses a new log", async () => {
    using disk = smallDisk();
    fill(disk.path);
    await assert.rejects(openStore(disk.path), isCode("log-unwritable", /ENOSPC/));
    rmSync(join(disk.path, "ballast"));
    await using store = await openStore(disk.path);
    assert.equal(store.reader.head().size, 1);
  });
});

describe("a read-only disk", options, () => {
  it("can be read and audited, and has no writer", async () => {
    using disk = smallDisk();
    {
      await using store = await openStore(disk.path);
      await addCertificates(store, 0, 300);
    }
    mount("-o", "remount,ro", disk.path);
    await assert.rejects(openStore(disk.path), isCode("log-unwritable", /EROFS/));
    using reader = LogReader.open(disk.path);
    assert.equal(reader.head().size, 601);
    assert.equal(auditOf(disk.path).fault, undefined);
  });
});
