/** What a log is after `kill -9`: all that was durable is there, and nothing is half there. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import { durableWrites } from "../../src/edge/store/durable.ts";
import { LOG_NOW_MS, sampleResult } from "../support/log-entries.ts";
import { addCertificates, auditOf, logKey, openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const program = join(import.meta.dirname, "writing-process.ts");
const preload = join(import.meta.dirname, "kill-at-durable.ts");

/** Kills it at a durable write, or some time after it has opened the log. */
async function write(
  directory: string,
  kill: { readonly durable?: string; readonly afterMs?: number },
): Promise<readonly string[]> {
  const [keyFile, saidFile] = [join(directory, "key.pem"), join(directory, "said")];
  writeFileSync(keyFile, logKey.export({ format: "pem", type: "pkcs8" }));
  const args = ["--import", preload, program, directory, keyFile, saidFile];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORTCULLIS_TEST_KILL: kill.durable ?? "" },
  });
  if (kill.afterMs !== undefined) {
    child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), kill.afterMs));
  }
  const [, signal] = await once(child, "exit");
  assert.equal(signal, "SIGKILL", "it ended before it was killed");
  // What comes after the last line break is half a line.
  return readFileSync(saidFile, "utf8").split("\n").slice(0, -1);
}

/** All that was said to be durable is there; the log is whole, and goes on. */
async function expectDurable(directory: string, said: readonly string[]): Promise<void> {
  await using store = await openStore(directory);
  const { reader, writer } = store;
  const { prunedTo } = reader.head();
  for (const [kind, index, serialHex] of said.map((line) => line.split(" "))) {
    if (Number(index) < prunedTo) continue;
    const data = reader.entry(Number(index));
    assert.ok(data !== undefined, `entry ${index} was durable and is gone`);
    const entry = decodeEntry(data);
    assert.ok(entry.kind === "intent" || entry.kind === "result");
    const entryHex = Buffer.from(entry.serial).toString("hex");
    assert.deepEqual([entry.kind, entryHex], [kind, serialHex]);
  }
  const left = reader.certificates.open().map(({ intentIndex, intent: { serial } }) =>
    sampleResult({
      serial,
      intentIndex,
      outcome: "unknown",
      certificateDigest: new Uint8Array(0),
      reason: "server-stopped",
    }),
  );
  if (left.length > 0) await writer.append(left);
  await addCertificates(
    store,
    3_000_000_000 + reader.head().size * 1_000,
    300,
    LOG_NOW_MS + 60_000,
  );
  const { fault, summary } = auditOf(directory);
  assert.equal(fault, undefined);
  assert.deepEqual(summary.openIntents, []);
  assert.equal(summary.size, reader.head().size);
}

describe("kill -9", () => {
  for (const name of durableWrites.filter((each) => each.startsWith("log-"))) {
    for (const moment of ["before", "after"]) {
      it(`${moment} the durable write ${name} loses nothing that was durable`, async () => {
        using directory = temporaryDirectory();
        const counts = name === "log-commit" ? [1, 2, 7] : [1];
        for (const count of counts) {
          const said = await write(directory.path, { durable: `${name}:${moment}:${count}` });
          await expectDurable(directory.path, said);
        }
      });
    }
  }

  it("at any moment loses nothing that was durable, one time after the other", async () => {
    using directory = temporaryDirectory();
    for (const afterMs of [0, 3, 11, 29, 60]) {
      const said = await write(directory.path, { afterMs });
      await expectDurable(directory.path, said);
    }
  });
});
