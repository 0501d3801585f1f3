import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  LOG_NOW_MS,
  sampleEvent,
  sampleIntent,
  serialOf,
} from "../../../test/support/log-entries.ts";
import {
  addCertificates,
  auditOf,
  logVerifier,
  openStore,
} from "../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { openCheckpoint } from "../../core/log/checkpoint.ts";
import { decodeEntry } from "../../core/log/entry-codec.ts";
import { leafHash } from "../../core/log/merkle.ts";
import { parsePruned } from "../../core/log/pruned.ts";
import { encodeRestored } from "../../core/log/restored.ts";
import { verifyConsistency, verifyInclusion } from "../../core/log/proof-check.ts";
import type { LogStore } from "./log-store.ts";

const dayMs = 86_400_000;

/** Certificates of two days: 512 entries and one of the first, 512 of the second. */
async function withTwoDays(work: (store: LogStore, path: string) => Promise<void>): Promise<void> {
  using directory = temporaryDirectory();
  await using store = await openStore(directory.path);
  await addCertificates(store, 0, 256, LOG_NOW_MS);
  await addCertificates(store, 256, 256, LOG_NOW_MS + dayMs);
  await work(store, directory.path);
  assert.equal(auditOf(directory.path).fault, undefined);
}

const endOfFirstMs = LOG_NOW_MS + dayMs;
const nowMs = LOG_NOW_MS + 3 * dayMs;

describe("pruning", () => {
  it("forgets whole tiles whose certificates have all expired, and says so in the log", async () => {
    await withTwoDays(async ({ writer, reader }) => {
      assert.equal(await writer.prune(endOfFirstMs, nowMs), undefined);
      assert.equal(reader.head().size, 1_025);
      const gone = { start: 0, end: 512 };
      assert.deepEqual(await writer.prune(endOfFirstMs + 1_000, nowMs, "ann"), gone);
      assert.equal(reader.head().prunedTo, 512);
      assert.equal(reader.entry(511), undefined);
      assert.ok(reader.entry(512) !== undefined);
      const event = decodeEntry(reader.entry(1_025) ?? new Uint8Array());
      assert.ok(event.kind === "event" && event.type === "pruned");
      assert.equal(event.subject, "entries 0 to 511");
      assert.deepEqual([event.operator, parsePruned(event.detail)], ["ann", gone]);
      assert.equal(await writer.prune(endOfFirstMs + 1_000, nowMs), undefined);
    });
  });

  it("forgets the certificates, too, and keeps those that have not expired", async () => {
    await withTwoDays(async ({ writer, reader }) => {
      await writer.prune(endOfFirstMs + 1_000, nowMs);
      assert.equal(reader.certificates.bySerial(serialOf(3)), undefined);
      assert.ok(reader.certificates.bySerial(serialOf(256)) !== undefined);
      assert.equal(reader.certificates.page({}).records.length, 256);
      const identity = "spiffe://cluster.local/ns/default/sa/web-9";
      assert.equal(reader.certificates.newest(identity)?.issuedAtMs, LOG_NOW_MS + dayMs);
    });
  });

  it("leaves a tree of which everything can be proved", async () => {
    await withTwoDays(async ({ writer, reader }) => {
      const before = openCheckpoint(reader.head().checkpoint, [logVerifier]);
      const leaf = leafHash(reader.entry(100) ?? new Uint8Array());
      await writer.prune(nowMs, nowMs);
      const { size, root } = openCheckpoint(reader.head().checkpoint, [logVerifier]);
      verifyInclusion({ index: 100, size, leaf, root, proof: reader.inclusion(100, size) });
      verifyConsistency({
        oldSize: before.size,
        newSize: size,
        oldRoot: before.root,
        newRoot: root,
        proof: reader.consistency(before.size, size),
      });
    });
  });

  it("stops at an intent that is open", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    await addCertificates(store, 0, 256);
    await store.writer.append([sampleIntent({ serial: serialOf(900) })]);
    await addCertificates(store, 256, 256);
    assert.deepEqual(await store.writer.prune(nowMs, nowMs), { start: 0, end: 512 });
    assert.equal(store.reader.certificates.open().length, 1);
  });

  it("keeps the event of a restore until no lost certificate can be valid any more", async () => {
    using directory = temporaryDirectory();
    await using store = await openStore(directory.path);
    const possibleUntilMs = endOfFirstMs + dayMs;
    const range = { from: 1, to: 90, checkpoint: "", possibleUntilMs };
    await addCertificates(store, 0, 128);
    await store.writer.append([sampleEvent({ type: "restored", detail: encodeRestored(range) })]);
    await addCertificates(store, 128, 256);
    assert.deepEqual(await store.writer.prune(possibleUntilMs, nowMs), { start: 0, end: 256 });
    assert.ok(store.reader.entry(257) !== undefined);
    const past = await store.writer.prune(possibleUntilMs + 1, nowMs);
    assert.deepEqual(past, { start: 256, end: 768 });
  });

  it("goes in steps, between which others write", async () => {
    using directory = temporaryDirectory();
    {
      await using store = await openStore(directory.path);
      for (let first = 0; first < 5_000; first += 500) await addCertificates(store, first, 500);
      const pruned = store.writer.prune(nowMs, nowMs);
      await addCertificates(store, 9_000, 1, nowMs);
      assert.deepEqual(await pruned, { start: 0, end: 9_984 });
      const { fault, summary } = auditOf(directory.path);
      assert.equal(fault, undefined);
      assert.deepEqual(summary.skipped, [{ start: 0, end: 9_984 }]);
    }
    await using store = await openStore(directory.path, { mustExist: true });
    await addCertificates(store, 20_000, 200, nowMs);
    assert.equal(auditOf(directory.path).fault, undefined);
  });
});
