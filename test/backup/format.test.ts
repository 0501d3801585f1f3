/** The file of a backup: what is written is read, and nothing else is. */

import assert from "node:assert/strict";
import { createDecipheriv, createHmac, hkdfSync, scryptSync } from "node:crypto";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import * as fc from "fast-check";
import { BackupError, type BackupErrorCode } from "../../src/core/backup/backup-error.ts";
import { HEADER_BYTES_MAX, parseHeader } from "../../src/core/backup/backup-header.ts";
import type { BackupFile, BackupManifest } from "../../src/core/backup/backup-manifest.ts";
import { CHUNK_DATA_BYTES, type Chunk } from "../../src/core/backup/chunk-format.ts";
import { BackupReader } from "../../src/edge/backup/backup-reader.ts";
import { writeBackup } from "../../src/edge/backup/backup-writer.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const passphrase = Buffer.from("correct horse battery staple");
/** The cheapest that is read. */
const n = 2 ** 14;
const manifest: BackupManifest = {
  version: "0.0.0-test",
  createdAtMs: 1_790_000_000_000,
  trustDomain: "prod.example",
  epoch: 3,
  schemas: { "portcullis.db": 4, "log.db": 1 },
  log: {
    size: 7,
    checkpoint: "prod.example/portcullis/log\n7\n...\n\n— a b\n",
    key: "prod.example/portcullis/log+00000000+AA==",
  },
};

async function* pieces(...list: readonly Chunk[]): AsyncGenerator<Chunk> {
  yield* list;
}

const chunk = (file: BackupFile, length: number, fill: number): Chunk => {
  return { file, data: Buffer.alloc(length, fill) };
};

async function readAll(path: string, key: Uint8Array = passphrase): Promise<string> {
  await using reader = await BackupReader.open(path, key);
  const files: Record<BackupFile, Uint8Array[]> = { "portcullis.db": [], "log.db": [] };
  for await (const { file, data } of reader.chunks()) files[file].push(data);
  return Object.values(files)
    .map((parts) => Buffer.concat(parts).toString("hex"))
    .join("/");
}

/** Where each chunk begins, and the end of the file. */
function boundaries(bytes: Buffer): readonly number[] {
  let offset = parseHeader(bytes.subarray(0, HEADER_BYTES_MAX)).length;
  const found = [offset];
  while (offset < bytes.length) {
    offset += 4 + (bytes.readUInt32BE(offset) & 0x7fff_ffff);
    found.push(offset);
  }
  return found;
}

describe("a backup", () => {
  const directory = temporaryDirectory();
  after(() => directory[Symbol.dispose]());
  const path = (name: string): string => join(directory.path, name);

  it("is read as it was written, whatever pieces it came in, and is for its owner only", async () => {
    const sizes = [0, 1, CHUNK_DATA_BYTES - 1, CHUNK_DATA_BYTES, CHUNK_DATA_BYTES + 1, 150_000];
    for (const [number, [first, second]] of [
      [3, 5],
      [1, 5],
      [4, 2],
      [5, 3],
    ].entries()) {
      const [a, b] = [sizes[first ?? 0] ?? 0, sizes[second ?? 0] ?? 0];
      const file = path(`whole-${number}`);
      const parts = [chunk("portcullis.db", a, 1), chunk("log.db", b, 2), chunk("log.db", b, 3)];
      await writeBackup(file, { manifest, data: pieces(...parts) }, passphrase, n);
      const expected = ["01".repeat(a), "02".repeat(b) + "03".repeat(b)].join("/");
      assert.equal(await readAll(file), expected);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      await using reader = await BackupReader.open(file, passphrase);
      assert.deepEqual(reader.manifest, manifest);
    }
  });

  it("says in the clear what is in it, and nothing of the databases", async () => {
    const file = path("clear");
    const secret = Buffer.from("a secret that is in a database".repeat(100));
    const data = pieces({ file: "portcullis.db", data: secret }, chunk("log.db", 1, 1));
    await writeBackup(file, { manifest, data }, passphrase, n);
    const bytes = readFileSync(file);
    assert.ok(bytes.includes("prod.example/portcullis/log"));
    assert.ok(!bytes.includes("a secret"));
  });

  it("can be read by whoever has docs/disaster-recovery.md and the passphrase", async () => {
    const file = path("by-hand");
    const parts = [chunk("portcullis.db", 70_000, 1), chunk("log.db", 9, 2)];
    await writeBackup(file, { manifest, data: pieces(...parts) }, passphrase, n);
    const bytes = readFileSync(file);
    const lines = bytes.toString("latin1").split("\n", 3);
    const [first = "", second = "", mac = ""] = lines;
    const { kdf } = JSON.parse(second);
    const cost = { N: kdf.n, r: kdf.r, p: kdf.p };
    const master = scryptSync(passphrase, Buffer.from(kdf.salt, "base64"), 32, cost);
    const keyOf = (info: Uint8Array): Uint8Array =>
      new Uint8Array(hkdfSync("sha256", master, "", info, 32));
    const expected = createHmac("sha256", keyOf(Buffer.from("portcullis backup 1 header\0")))
      .update(`${first}\n`, "latin1")
      .update(`${second}\n`, "latin1")
      .digest();
    assert.equal(mac, expected.toString("base64"));
    const key = keyOf(Buffer.concat([Buffer.from("portcullis backup 1 chunks\0"), expected]));
    const found: Buffer[] = [];
    let at = lines.join("\n").length + 1;
    for (let number = 0, isLast = false; !isLast; number++) {
      const word = bytes.readUInt32BE(at);
      isLast = word >= 2 ** 31;
      const end = at + 4 + (word % 2 ** 31);
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(number, 7);
      nonce[11] = isLast ? 1 : 0;
      const decipher = createDecipheriv("aes-256-gcm", key, nonce);
      decipher.setAuthTag(bytes.subarray(end - 16, end));
      found.push(
        Buffer.concat([decipher.update(bytes.subarray(at + 4, end - 16)), decipher.final()]),
      );
      at = end;
    }
    assert.equal(at, bytes.length);
    assert.deepEqual(
      found.map((plain) => [plain[0], plain.length - 1, plain[1]]),
      [
        [1, CHUNK_DATA_BYTES, 1],
        [1, 70_000 - CHUNK_DATA_BYTES, 1],
        [2, 9, 2],
      ],
    );
  });

  it("does not replace a file", async () => {
    const file = path("there");
    writeFileSync(file, "there");
    const source = { manifest, data: pieces(chunk("log.db", 1, 1)) };
    await assert.rejects(writeBackup(file, source, passphrase, n), { code: "file-kind" });
    assert.equal(readFileSync(file, "utf8"), "there");
  });
});

describe("a backup that is not what was written", async () => {
  const directory = temporaryDirectory();
  after(() => directory[Symbol.dispose]());
  const whole = join(directory.path, "whole");
  const parts = [
    chunk("portcullis.db", CHUNK_DATA_BYTES + 100, 1),
    chunk("log.db", 2 * CHUNK_DATA_BYTES, 2),
  ];
  await writeBackup(whole, { manifest, data: pieces(...parts) }, passphrase, n);
  const bytes = readFileSync(whole);
  const starts = boundaries(bytes);
  const header = starts[0] ?? 0;
  const refused = async (changed: Uint8Array, code: BackupErrorCode | RegExp): Promise<void> => {
    const file = join(directory.path, "changed");
    writeFileSync(file, changed);
    await assert.rejects(readAll(file), (error: unknown) => {
      assert.ok(error instanceof BackupError, String(error));
      return typeof code === "string" ? error.code === code : code.test(error.code);
    });
  };
  const chunkAt = (index: number): Buffer => bytes.subarray(starts[index], starts[index + 1]);
  const [start, c0, c1, c2, c3] = [bytes.subarray(0, header), ...[0, 1, 2, 3].map(chunkAt)];
  const of = (...list: readonly (Uint8Array | undefined)[]): Buffer => {
    return Buffer.concat(list.filter((each) => each !== undefined));
  };

  it("has four chunks in this test", () => assert.equal(starts.length, 5));

  it("is truncated at each boundary of a chunk, and within each", async () => {
    for (const at of starts.slice(0, -1)) {
      for (const end of [at, at + 2, at + 4, at + 20]) {
        await refused(bytes.subarray(0, end), "backup-truncated");
      }
    }
    await refused(bytes.subarray(0, -1), "backup-truncated");
  });

  it("has more behind its end", async () => {
    await refused(of(bytes, Buffer.from([0])), "backup-damaged");
    await refused(of(bytes, c0), "backup-damaged");
  });

  const orders: readonly (readonly [string, Buffer])[] = [
    ["without its first chunk", of(start, c1, c2, c3)],
    ["without one in the middle", of(start, c0, c2, c3)],
    ["with two chunks exchanged", of(start, c0, c2, c1, c3)],
    ["with a chunk twice", of(start, c0, c0, c1, c2, c3)],
    ["with its last chunk first", of(start, c3)],
  ];
  for (const [what, changed] of orders) {
    it(`comes ${what}`, () => refused(changed, "backup-damaged"));
  }

  it("says of another chunk that it is the last, or of the last that it is not", async () => {
    for (const index of [1, 3]) {
      const changed = Buffer.from(bytes);
      const at = starts[index] ?? 0;
      changed.writeUInt32BE((changed.readUInt32BE(at) ^ 0x8000_0000) >>> 0, at);
      await refused(index === 1 ? changed.subarray(0, starts[2]) : changed, "backup-damaged");
    }
  });

  it("has one bit flipped, wherever", async () => {
    const flips = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }));
    await fc.assert(
      fc.asyncProperty(flips, async ([at, bit]) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        await refused(changed, /^backup-(malformed|newer|passphrase-wrong|damaged|truncated)$/);
      }),
      { numRuns: 25, examples: [[[0, 0]], [[18, 0]], [[header - 2, 0]], [[header, 7]]] },
    );
  });

  it("has the header of another backup", async () => {
    const other = join(directory.path, "other");
    await writeBackup(other, { manifest, data: pieces(...parts) }, passphrase, n);
    const otherBytes = readFileSync(other);
    const otherHeader = otherBytes.subarray(0, boundaries(otherBytes)[0]);
    await refused(of(otherHeader, c0, c1, c2, c3), "backup-damaged");
  });

  it("is opened with another passphrase", async () => {
    const wrong = Buffer.from("another passphrase");
    await assert.rejects(BackupReader.open(whole, wrong), { code: "backup-passphrase-wrong" });
  });

  it("is of a newer format, which is named", async () => {
    const changed = Buffer.from(
      bytes.toString("latin1").replace("backup 1\n", "backup 2\n"),
      "latin1",
    );
    const file = join(directory.path, "newer");
    writeFileSync(file, changed);
    await assert.rejects(readAll(file), {
      code: "backup-newer",
      message: "expected a backup of format 1 at most, got 2",
    });
  });

  const headers: readonly (readonly [string, RegExp, string])[] = [
    ["asks for a cheap key", /"n":16384/, '"n":1024'],
    ["asks for all memory", /"n":16384/, '"n":1073741824'],
    ["names another cipher", /aes-256-gcm/, "none"],
    ["has no JSON", /\{/, "["],
    ["has an epoch that is no number", /"epoch":3/, '"epoch":"3"'],
  ];
  for (const [what, pattern, replacement] of headers) {
    it(`${what} in its header`, () => {
      const text = bytes.toString("latin1").replace(pattern, replacement);
      return refused(Buffer.from(text, "latin1"), "backup-malformed");
    });
  }

  it("is empty, or something else", async () => {
    for (const text of ["", "portcullis backup", "SQLite format 3\0", "portcullis backup 1\n{}"]) {
      await refused(Buffer.from(text), "backup-malformed");
    }
  });

  it("is no file", async () => {
    await assert.rejects(readAll(directory.path), { code: "file-kind" });
    await assert.rejects(readAll(join(directory.path, "missing")), { code: "file-missing" });
  });

  it("grew while it was read", async () => {
    const file = join(directory.path, "growing");
    writeFileSync(file, bytes);
    await using reader = await BackupReader.open(file, passphrase);
    appendFileSync(file, "x");
    await assert.rejects(Array.fromAsync(reader.chunks()), { code: "backup-damaged" });
  });
});
