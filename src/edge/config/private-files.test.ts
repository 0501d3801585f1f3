import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import {
  ensurePrivateDir,
  PrivateFileError,
  readBoundedFile,
  readPrivateFile,
  writeFileAtomic,
  type PrivateFileErrorCode,
} from "./private-files.ts";

const BYTES = new TextEncoder().encode("bytes");
const isRoot = process.geteuid?.() === 0;

function withCode(code: PrivateFileErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof PrivateFileError && error.code === code;
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

async function withUmask(mask: number, body: () => Promise<void>): Promise<void> {
  const before = process.umask(mask);
  try {
    await body();
  } finally {
    process.umask(before);
  }
}

for (const mask of [0o000, 0o022, 0o077]) {
  test(`makes private directories and files under umask ${mask.toString(8)}`, async () => {
    using directory = temporaryDirectory();
    await withUmask(mask, async () => {
      const made = join(directory.path, "parent/made");
      await ensurePrivateDir(made);
      await writeFileAtomic(join(made, "secret"), BYTES, 0o600);
      await writeFileAtomic(join(made, "public"), BYTES, 0o644);
      assert.equal(modeOf(join(directory.path, "parent")), 0o700);
      assert.equal(modeOf(made), 0o700);
      assert.equal(modeOf(join(made, "secret")), 0o600);
      assert.equal(modeOf(join(made, "public")), 0o644);
    });
  });
}

test("accepts a private directory that is there already, and leaves its content", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "kept"), BYTES);
  await ensurePrivateDir(directory.path);
  await ensurePrivateDir(`${directory.path}/`);
  assert.deepEqual(readdirSync(directory.path), ["kept"]);
});

for (const mode of [0o755, 0o750, 0o701]) {
  test(`closes an empty directory of mode ${mode.toString(8)}, and refuses a used one`, async () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, mode);
    await ensurePrivateDir(directory.path);
    assert.equal(modeOf(directory.path), 0o700);
    writeFileSync(join(directory.path, "file"), "");
    chmodSync(directory.path, mode);
    await assert.rejects(ensurePrivateDir(directory.path), withCode("file-mode"));
    assert.equal(modeOf(directory.path), mode);
  });
}

for (const mode of [0o777, 0o770, 0o1777]) {
  test(`refuses a directory of mode ${mode.toString(8)}, and does not repair it`, async () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, mode);
    await assert.rejects(ensurePrivateDir(directory.path), withCode("file-mode"));
    assert.equal(modeOf(directory.path), mode & 0o777);
  });
}

test("refuses a symbolic link to a private directory, also behind a trailing slash", async () => {
  using directory = temporaryDirectory();
  const link = join(directory.path, "link");
  mkdirSync(join(directory.path, "target"), { mode: 0o700 });
  symlinkSync("target", link);
  await assert.rejects(ensurePrivateDir(link), withCode("file-kind"));
  await assert.rejects(ensurePrivateDir(`${link}/`), withCode("file-kind"));
});

test("refuses a symbolic link to nothing, and a file in the directory's place", async () => {
  using directory = temporaryDirectory();
  symlinkSync("nothing", join(directory.path, "link"));
  writeFileSync(join(directory.path, "file"), BYTES);
  await assert.rejects(ensurePrivateDir(join(directory.path, "link")), PrivateFileError);
  await assert.rejects(ensurePrivateDir(join(directory.path, "file")), withCode("file-kind"));
  await assert.rejects(ensurePrivateDir(join(directory.path, "file/child")), withCode("file-kind"));
});

test("refuses what somebody else owns", { skip: !isRoot && "needs root" }, async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "file");
  writeFileSync(file, BYTES, { mode: 0o600 });
  chownSync(file, 65_534, 65_534);
  await assert.rejects(readPrivateFile(file, 100), withCode("file-owner"));
  chownSync(directory.path, 65_534, 65_534);
  await assert.rejects(ensurePrivateDir(directory.path), withCode("file-owner"));
});

test("replaces a symbolic link instead of writing through it", async () => {
  using directory = temporaryDirectory();
  const victim = join(directory.path, "victim");
  const path = join(directory.path, "path");
  writeFileSync(victim, "untouched");
  symlinkSync(victim, path);
  await writeFileAtomic(path, BYTES, 0o600);
  assert.equal(readFileSync(victim, "utf8"), "untouched");
  assert.ok(lstatSync(path).isFile());
  assert.deepEqual(new Uint8Array(readFileSync(path)), BYTES);
});

test("keeps the old file and leaves no temporary one when a write fails", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "taken"));
  writeFileSync(join(directory.path, "taken/child"), "untouched");
  await assert.rejects(writeFileAtomic(join(directory.path, "taken"), BYTES, 0o600));
  assert.deepEqual(readdirSync(directory.path), ["taken"]);
  const missing = join(directory.path, "missing/file");
  await assert.rejects(writeFileAtomic(missing, BYTES, 0o600), withCode("file-missing"));
});

test("shows readers of a file that is replaced only whole versions", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  const versions = [0, 1, 2, 3].map((byte) => new Uint8Array(100_000).fill(byte));
  await writeFileAtomic(path, new Uint8Array(100_000), 0o600);
  const writes = Promise.all(versions.map((bytes) => writeFileAtomic(path, bytes, 0o600)));
  for (let read = 0; read < 20; read++) {
    const bytes = await readPrivateFile(path, 100_000);
    assert.ok(bytes.length === 100_000 && bytes.every((byte) => byte === bytes[0]));
  }
  await writes;
});

test("reads a private file up to the limit and not beyond", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  await writeFileAtomic(path, BYTES, 0o600);
  assert.deepEqual(await readPrivateFile(path, BYTES.length), BYTES);
  await assert.rejects(readPrivateFile(path, BYTES.length - 1), withCode("file-too-large"));
  await assert.rejects(readPrivateFile(`${path}.no`, 100), withCode("file-missing"));
});

test("refuses to read a private file through a link, from a FIFO, or open to others", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  writeFileSync(path, BYTES, { mode: 0o600 });
  symlinkSync(path, join(directory.path, "link"));
  execFileSync("mkfifo", ["-m", "600", join(directory.path, "fifo")]);
  await assert.rejects(readPrivateFile(join(directory.path, "link"), 100), withCode("file-kind"));
  await assert.rejects(readPrivateFile(join(directory.path, "fifo"), 100), withCode("file-kind"));
  await assert.rejects(readPrivateFile(directory.path, 100), withCode("file-kind"));
  chmodSync(path, 0o640);
  await assert.rejects(readPrivateFile(path, 100), withCode("file-mode"));
});

test("reads an operator's file through links, up to its limit", async () => {
  using directory = temporaryDirectory();
  const link = join(directory.path, "link");
  writeFileSync(join(directory.path, "file"), BYTES);
  symlinkSync("file", link);
  assert.deepEqual(await readBoundedFile(link, BYTES.length), BYTES);
  await assert.rejects(readBoundedFile(link, BYTES.length - 1), withCode("file-too-large"));
});

const NO_FILES: readonly (readonly [string, (path: string) => unknown, RegExp])[] = [
  ["a directory", (path) => mkdirSync(path), /: expected a file, got a directory$/],
  ["a FIFO", (path) => execFileSync("mkfifo", [path]), /: expected a file, got a FIFO$/],
  ["a device", (path) => symlinkSync("/dev/zero", path), /: expected a file, got a device$/],
  [
    "a link to itself",
    (path) => symlinkSync(path, path),
    /: expected a file, got a symbolic link$/,
  ],
];
for (const [what, make, message] of NO_FILES) {
  test(`refuses ${what} in place of an operator's file, at once and by its path`, async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "file");
    make(path);
    await assert.rejects(readBoundedFile(path, 100), (error) => {
      assert.ok(withCode("file-kind")(error) && error instanceof PrivateFileError);
      assert.ok(error.message.startsWith(path));
      assert.match(error.message, message);
      return true;
    });
  });
}

test("refuses a socket in place of an operator's file", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "file");
  const server = createServer();
  await once(server.listen(path), "listening");
  await assert.rejects(readBoundedFile(path, 100), withCode("file-kind"));
  await server[Symbol.asyncDispose]();
});

test("waits no longer than 15 seconds for a file system that does not answer", async (context) => {
  using directory = temporaryDirectory();
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const reading = readBoundedFile(join(directory.path, "file"), 100);
  context.mock.timers.tick(15_000);
  await assert.rejects(reading, /no answer from its file system within 15 s/);
});

test(
  "says whose a file is, and how to be that user",
  { skip: !isRoot && "needs root" },
  async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "file");
    writeFileSync(file, BYTES, { mode: 0o600 });
    chownSync(file, 65_534, 65_534);
    await assert.rejects(readPrivateFile(file, 100), {
      message: `${file}: the file is not ours: expected uid 0, got 65534`,
      hint: "run it as that user: sudo -u '#65534' ...",
    });
  },
);
