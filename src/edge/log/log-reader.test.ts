import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { naiveRoot } from "../../../test/support/log-tree.ts";
import {
  addCertificates,
  auditOf,
  logVerifier,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { emptyRoot, HASH_BYTES, leafHash } from "../../core/log/merkle.ts";
import { encodeVerifierKey } from "../../core/log/note-key.ts";
import { verifyConsistency, verifyInclusion } from "../../core/log/proof-check.ts";
import { encodeEntryBundle, foldHashes } from "../../core/log/tile.ts";
import { LogReader } from "./log-reader.ts";
import type { LogStore } from "./log-store.ts";

/** 1,401 entries: five full tiles, and one of 121. */
const directory = temporaryDirectory();
let store: LogStore;
let leaves: readonly Uint8Array[];

before(async () => {
  store = await openStore(directory.path);
  for (let first = 0; first < 700; first += 100) {
    await addCertificates(store, first, 100, LOG_NOW_MS + first * 1_000);
  }
  leaves = Array.from(store.reader.entries(0, 2_000), ({ data }) => leafHash(data));
});

after(async () => {
  await store[Symbol.asyncDispose]();
  directory[Symbol.dispose]();
});

describe("entries", () => {
  it("come in their order, from any place", () => {
    assert.equal(leaves.length, 1_401);
    const indices = Array.from(store.reader.entries(1_390, 100), ({ index }) => index);
    assert.deepEqual(
      indices,
      Array.from({ length: 11 }, (_, place) => 1_390 + place),
    );
    assert.equal(Array.from(store.reader.entries(0, 7)).length, 7);
    assert.equal(Array.from(store.reader.entries(5_000, 7)).length, 0);
    assert.equal(store.reader.entry(1_401), undefined);
  });
});

describe("tiles", () => {
  it("have the hashes of their entries, also partial ones", () => {
    const { reader } = store;
    for (const [index, width] of [
      [0, 256],
      [0, 3],
      [4, 256],
      [5, 121],
      [5, 1],
    ] as const) {
      const expected = Buffer.concat(leaves.slice(index * 256, index * 256 + width));
      assert.deepEqual(Buffer.from(reader.tile(0, index, width) ?? []), expected);
    }
    const roots = [0, 1, 2, 3, 4].map((index) =>
      foldHashes(Buffer.concat(leaves.slice(index * 256, (index + 1) * 256))),
    );
    assert.deepEqual(Buffer.from(reader.tile(1, 0, 5) ?? []), Buffer.concat(roots));
  });

  it("are not there beyond the log, or of a width that none has", () => {
    const { reader } = store;
    for (const [level, index, width] of [
      [0, 5, 122],
      [0, 6, 1],
      [1, 0, 6],
      [2, 0, 1],
      [0, 0, 0],
      [0, 0, 257],
      [0, 0, 1.5],
    ] as const) {
      assert.equal(reader.tile(level, index, width), undefined);
    }
    assert.equal(reader.entryBundle(5, 122), undefined);
    assert.equal(reader.entryBundle(0, 257), undefined);
  });

  it("have their entries beside them", () => {
    const { reader } = store;
    const entries = Array.from(reader.entries(1_280, 121), ({ data }) => data);
    assert.deepEqual(reader.entryBundle(5, 121), encodeEntryBundle(entries));
  });
});

describe("the verifier key", () => {
  it("is that of the checkpoint", () => {
    assert.equal(store.reader.verifierKey(), encodeVerifierKey(logVerifier));
  });
});

describe("proofs", () => {
  const rootAt = (size: number): Uint8Array =>
    size === 0 ? emptyRoot : naiveRoot(leaves.slice(0, size));
  const sizes = [1, 2, 255, 256, 257, 511, 512, 513, 1_280, 1_281, 1_400, 1_401];

  it("lead to the root of the checkpoint", () => {
    const { size, root } = openCheckpoint(store.reader.head().checkpoint, [logVerifier]);
    assert.deepEqual(Buffer.from(root), Buffer.from(rootAt(size)));
  });

  it("of inclusion hold in every size of the log", () => {
    for (const size of sizes) {
      const root = rootAt(size);
      for (const index of [0, 1, 254, 255, 256, 700, 1_279, 1_280, size - 1]) {
        if (index >= size) continue;
        const proof = store.reader.inclusion(index, size);
        verifyInclusion({ index, size, leaf: leaves[index] ?? emptyRoot, root, proof });
      }
    }
  });

  it("of consistency hold between all sizes of the log", () => {
    for (const newSize of sizes) {
      for (const oldSize of sizes.filter((each) => each <= newSize)) {
        const proof = store.reader.consistency(oldSize, newSize);
        const [oldRoot, newRoot] = [rootAt(oldSize), rootAt(newSize)];
        verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof });
      }
    }
  });

  it("are refused for a size that the log does not have", () => {
    assert.throws(() => store.reader.inclusion(0, 1_402), RangeError);
    assert.throws(() => store.reader.consistency(1, 1_402), RangeError);
    assert.throws(() => store.reader.inclusion(0, -1), RangeError);
    assert.throws(() => store.reader.inclusion(0, 1.5), RangeError);
  });
});

describe("certificates", () => {
  it("are found by their serial, with what came of them", () => {
    const found = store.reader.certificates.bySerial(serialOf(123));
    assert.deepEqual(Buffer.from(found?.intent.serial ?? []), Buffer.from(serialOf(123)));
    assert.equal(found?.result?.intentIndex, found?.intentIndex);
    assert.equal(found?.result?.outcome, "signed");
    assert.equal(store.reader.certificates.bySerial(serialOf(700)), undefined);
    assert.equal(store.reader.certificates.bySerial(new Uint8Array()), undefined);
  });

  it("are listed by what they are, in pages", () => {
    const { certificates } = store.reader;
    const identity = "spiffe://cluster.local/ns/default/sa/web-7";
    assert.equal(certificates.page({ identity }).records.length, 7);
    assert.equal(certificates.page({ identity: `${identity}x` }).records.length, 0);
    assert.equal(certificates.page({ namespace: "default" }).records.length, 700);
    for (const namespace of ["defaul", "default/sa", "%", "", "sa"]) {
      assert.equal(certificates.page({ namespace }).records.length, 0);
    }
    const { authority } = sampleIntent();
    assert.equal(certificates.page({ authority, identity }).records.length, 7);
    assert.equal(certificates.page({ authority: "00" }).records.length, 0);
    assert.equal(certificates.page({ outcome: "signed" }).records.length, 700);
    assert.equal(certificates.page({ outcome: "failed" }).records.length, 0);
    const expiresAfterMs = LOG_NOW_MS + 86_400_000 + 300_000;
    assert.equal(certificates.page({ expiresAfterMs }).records.length, 300);
    assert.equal(certificates.page({ expiresBeforeMs: expiresAfterMs }).records.length, 300);
    const indices: number[] = [];
    for (let from: number | undefined = 0; from !== undefined;) {
      const page = certificates.page({ outcome: "signed" }, from, 99);
      indices.push(...page.records.map(({ intentIndex }) => intentIndex));
      from = page.next;
    }
    assert.equal(new Set(indices).size, 700);
    assert.deepEqual(
      indices,
      indices.toSorted((a, b) => a - b),
    );
  });

  it("the newest of an identity is the signed one of a workload that lasts longest", async () => {
    using own = temporaryDirectory();
    await using other = await openStore(own.path);
    const { certificates } = other.reader;
    const identity = "spiffe://cluster.local/ns/a/sa/b";
    let number = 0;
    const add = async (lifeMs: number, changes: Parameters<typeof sampleIntent>[0] = {}) => {
      const serial = serialOf(number++);
      const notAfterMs = LOG_NOW_MS + lifeMs;
      const intent = sampleIntent({ identity, serial, notAfterMs, ...changes });
      const { firstIndex: intentIndex } = await other.writer.append([intent]);
      return { serial, intentIndex };
    };
    assert.equal(certificates.newest(identity), undefined);
    const signed = await add(60_000);
    assert.equal(certificates.newest(identity), undefined);
    await other.writer.append([sampleResult(signed)]);
    const newest = {
      intentIndex: signed.intentIndex,
      issuedAtMs: LOG_NOW_MS,
      validUntilMs: LOG_NOW_MS + 60_000,
    };
    assert.deepEqual(certificates.newest(identity), newest);
    await other.writer.append([sampleResult(await add(30_000))]);
    await other.writer.append([sampleResult(await add(90_000, { artifact: "jwt" }))]);
    const failed = await add(90_000);
    const reason = { certificateDigest: new Uint8Array(0), reason: "signer-failed" };
    await other.writer.append([sampleResult({ ...failed, outcome: "failed", ...reason })]);
    const open = await add(90_000);
    assert.deepEqual(certificates.newest(identity), newest);
    assert.deepEqual(
      certificates.open().map(({ intentIndex }) => intentIndex),
      [open.intentIndex],
    );
    assert.equal(certificates.page({ outcome: "open" }).records.length, 1);
    assert.equal(certificates.page({ outcome: "failed" }).records.length, 1);
  });
});

describe("a reader", () => {
  const program = `
    const { auditLog } = await import(${JSON.stringify(join(import.meta.dirname, "log-audit.ts"))});
    const { parseVerifierKey } = await import(
      ${JSON.stringify(join(import.meta.dirname, "../../core/log/note-key.ts"))});
    const { fault, summary } = auditLog(process.argv[1], [parseVerifierKey(process.argv[2])]);
    console.log(JSON.stringify({ fault, size: summary.size }));`;

  it("in another process sees what is durable while the server writes", async () => {
    using own = temporaryDirectory();
    await using other = await openStore(own.path);
    await addCertificates(other, 0, 500);
    const args = ["--input-type=module", "-e", program, own.path, encodeVerifierKey(logVerifier)];
    const { size } = other.reader.head();
    const child = execFile(process.execPath, args);
    assert.ok(child.stdout !== null);
    const stdout = text(child.stdout);
    while (child.exitCode === null) await other.writer.append([sampleEvent()]);
    const seen: unknown = JSON.parse(await stdout);
    assert.ok(seen !== null && typeof seen === "object" && "size" in seen);
    assert.deepEqual(Object.keys(seen), ["size"]);
    assert.ok(Number(seen.size) > size, "it has read what was written meanwhile");
  });

  it("reads a copy of the directory", () => {
    using copy = temporaryDirectory();
    cpSync(directory.path, copy.path, { recursive: true });
    using reader = LogReader.open(copy.path);
    assert.equal(reader.head().size, 1_401);
    assert.equal(auditOf(copy.path).fault, undefined);
    const entry = decodeEntry(reader.entry(1_400) ?? new Uint8Array());
    assert.equal(entry.kind, "result");
    assert.equal(reader.tile(0, 0, 256)?.length, 256 * HASH_BYTES);
  });
});
