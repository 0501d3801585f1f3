import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { readPipedFile } from "./piped-file.ts";

const BYTES = new TextEncoder().encode("bytes");
const forever = new AbortController().signal;

function fifo(directory: { readonly path: string }): string {
  const path = join(directory.path, "fifo");
  execFileSync("mkfifo", [path]);
  return path;
}

test("reads what is piped in, up to the limit, whoever opens the pipe first", async () => {
  using directory = temporaryDirectory();
  const path = fifo(directory);
  for (const readsFirst of [true, false]) {
    const reading = readsFirst ? readPipedFile(path, BYTES.length, forever) : undefined;
    const writing = writeFile(path, BYTES);
    assert.deepEqual(await (reading ?? readPipedFile(path, BYTES.length, forever)), BYTES);
    await writing;
  }
  await using writer = await open(path, "r+");
  await writer.write(BYTES);
  await assert.rejects(readPipedFile(path, 4, forever), { code: "file-too-large" });
});

test("waits for a slow writer to the end", async () => {
  using directory = temporaryDirectory();
  const path = fifo(directory);
  const reading = readPipedFile(path, 100, forever);
  {
    await using writer = await open(path, "w");
    for (const byte of BYTES) await writer.write(Uint8Array.of(byte));
  }
  assert.deepEqual(await reading, BYTES);
});

test("ends with its signal while nobody writes", async () => {
  using directory = temporaryDirectory();
  const path = fifo(directory);
  await using _ = await open(path, "r+");
  const interruption = new AbortController();
  const reading = readPipedFile(path, 100, interruption.signal);
  interruption.abort();
  await assert.rejects(reading, { name: "AbortError" });
});

test("reads a pipe that nobody opens as empty, after a second", async () => {
  using directory = temporaryDirectory();
  assert.equal((await readPipedFile(fifo(directory), 100, forever)).length, 0);
});

test("reads a file as a file, and no directory", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  writeFileSync(path, BYTES);
  assert.deepEqual(await readPipedFile(path, 100, forever), BYTES);
  await assert.rejects(readPipedFile(directory.path, 100, forever), { code: "file-kind" });
  await assert.rejects(readPipedFile(`${path}.no`, 100, forever), { code: "file-missing" });
  await assert.rejects(readPipedFile("/dev/zero", 100, forever), { code: "file-too-large" });
});
