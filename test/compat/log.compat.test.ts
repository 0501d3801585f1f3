/** The transparency log's formats against Go's own (golang.org/x/mod/sumdb, of the checksum database), both ways. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { openCheckpoint, signCheckpoint } from "../../src/core/log/checkpoint.ts";
import { encodeEntry } from "../../src/core/log/entry-codec.ts";
import { Frontier, HASH_BYTES, leafHash, type SubtreeReader } from "../../src/core/log/merkle.ts";
import {
  encodeVerifierKey,
  noteSigner,
  noteVerifier,
  parseVerifierKey,
} from "../../src/core/log/note-key.ts";
import { encodeProofFile } from "../../src/core/log/proof-file.ts";
import { verifyConsistency, verifyInclusion } from "../../src/core/log/proof-check.ts";
import { consistencyProof, inclusionProof } from "../../src/core/log/proof.ts";
import {
  encodeEntryBundle,
  foldHashes,
  tilePath,
  tileSpan,
  tileWidth,
  TILE_WIDTH,
} from "../../src/core/log/tile.ts";
import { sampleEvent, sampleIntent, sampleResult, serialOf } from "../support/log-entries.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runStock, type StockLine } from "./stock-clients.ts";

const origin = "mesh.test/portcullis/log";
/** Three levels of tiles, the last of each partial. */
const logSize = 65_800;

interface CountLine extends StockLine {
  readonly step: string;
  readonly count: number;
}

test("Go's reader finds our checkpoint, tiles, entries and proofs to be what they should be", async () => {
  using directory = temporaryDirectory();
  const keys = generateKeyPairSync("ed25519");
  const entries = makeEntries();
  const read = writeTiles(directory.path, entries);
  const root = Frontier.read(entries.length, read).root();
  const checkpoint = signCheckpoint(entries.length, root, noteSigner(origin, keys.privateKey));
  writeFileSync(join(directory.path, "checkpoint"), checkpoint);
  const proofs = makeProofs(read);
  writeFileSync(join(directory.path, "proofs.json"), JSON.stringify(proofs));
  const file = proveCertificate(entries, read, checkpoint);
  writeFileSync(join(directory.path, "certificate.tlog-proof"), file);
  const key = encodeVerifierKey(noteVerifier(origin, keys.publicKey));
  const lines = await runStock<CountLine>("log-verify", { dir: directory.path, key });
  assert.deepEqual(lines, [
    { step: "checkpoint", count: logSize },
    { step: "entries", count: logSize },
    { step: "inclusion", count: proofs.inclusion.length },
    { step: "consistency", count: proofs.consistency.length },
    { step: "proof-file", count: certificateAt + 1 },
  ]);
  write(directory.path, "tile/1/000", Buffer.alloc(TILE_WIDTH * HASH_BYTES));
  await assert.rejects(runStock("log-verify", { dir: directory.path, key }), /inconsistent tile/);
});

interface MadeLine extends StockLine {
  readonly step: string;
  readonly key: string;
  readonly note: string;
  readonly number: number;
  readonly size: number;
  readonly hash: string;
  readonly root: string;
  readonly proof: readonly string[] | null;
}

for (const size of [1, 2, 7, 64, 100]) {
  test(`we find Go's checkpoint and proofs of a log of ${size} to be what they should be`, async () => {
    const [made, ...proofs] = await runStock<MadeLine>("log-make", { origin, size });
    assert(made !== undefined);
    const checkpoint = openCheckpoint(made.note, [parseVerifierKey(made.key)]);
    assert.equal(checkpoint.size, size);
    assert.equal(proofs.length, 2 * size);
    const frontier = Frontier.of(0, []);
    for (let index = 0; index < size; index++) {
      frontier.append(leafHash(Buffer.from(`entry ${index}`)));
    }
    assert.deepEqual(Buffer.from(checkpoint.root), frontier.root());
    for (const each of proofs) verifyMade(each);
  });
}

function verifyMade({ step, number, size, ...line }: MadeLine): void {
  const [hash, root] = [Buffer.from(line.hash, "base64"), Buffer.from(line.root, "base64")];
  const proof = (line.proof ?? []).map((each) => Buffer.from(each, "base64"));
  if (step === "inclusion") verifyInclusion({ index: number, size, leaf: hash, root, proof });
  else verifyConsistency({ oldSize: number, newSize: size, oldRoot: hash, newRoot: root, proof });
}

/** Where the certificate is whose proof is written: its intent, then its result. */
const certificateAt = 4_321;

function makeEntries(): readonly Uint8Array[] {
  return Array.from({ length: logSize }, (_, index) => {
    if (index === certificateAt) return encodeEntry(sampleIntent({ serial: serialOf(index) }));
    const [serial, intentIndex] = [serialOf(certificateAt), certificateAt];
    if (index === intentIndex + 1) return encodeEntry(sampleResult({ serial, intentIndex }));
    return encodeEntry(sampleEvent({ type: "command", detail: `${index}` }));
  });
}

/** All of them, full and partial, as a server would; and a reader of what was written. */
function writeTiles(directory: string, entries: readonly Uint8Array[]): SubtreeReader {
  const levels = [entries.map(leafHash)];
  for (let level = 0; level < levels.length; level++) {
    const hashes = levels[level] ?? [];
    for (let index = 0; index * TILE_WIDTH < hashes.length; index++) {
      const width = tileWidth(level, index, entries.length);
      const [start, end] = [index * TILE_WIDTH, index * TILE_WIDTH + width];
      const tile = Buffer.concat(hashes.slice(start, end));
      write(directory, tilePath({ kind: "hashes", level, index, width }), tile);
      if (level === 0) {
        const bundle = encodeEntryBundle(entries.slice(start, end));
        write(directory, tilePath({ kind: "entries", level, index, width }), bundle);
      }
      if (width === TILE_WIDTH) (levels[level + 1] ??= []).push(foldHashes(tile));
    }
  }
  const tiles = levels.map((hashes) => Buffer.concat(hashes));
  return (level, index) => {
    const span = tileSpan(level, index);
    const start = (span.index * TILE_WIDTH + span.start) * HASH_BYTES;
    const end = start + span.count * HASH_BYTES;
    return foldHashes(tiles[span.level]?.subarray(start, end) ?? new Uint8Array(0));
  };
}

function write(directory: string, path: string, octets: Uint8Array): void {
  const file = join(directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, octets);
}

interface MadeProofs {
  readonly inclusion: readonly { readonly index: number; readonly size: number }[];
  readonly consistency: readonly { readonly oldSize: number; readonly newSize: number }[];
}

function makeProofs(read: SubtreeReader): MadeProofs {
  const sizes = [1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, logSize];
  const base64 = (hashes: readonly Uint8Array[]): readonly string[] =>
    hashes.map((hash) => Buffer.from(hash).toString("base64"));
  const inclusion = sizes.flatMap((size) =>
    [0, 1, 255, 256, 1_000, size - 2, size - 1]
      .filter((index) => index >= 0 && index < size)
      .map((index) => ({ index, size, hashes: base64(inclusionProof(index, size, read)) })),
  );
  const consistency = sizes.flatMap((newSize) =>
    sizes
      .filter((oldSize) => oldSize <= newSize)
      .map((oldSize) => {
        return { oldSize, newSize, hashes: base64(consistencyProof(oldSize, newSize, read)) };
      }),
  );
  return { inclusion, consistency };
}

function proveCertificate(
  entries: readonly Uint8Array[],
  read: SubtreeReader,
  checkpoint: string,
): string {
  const entry = (index: number) => ({
    index,
    bytes: entries[index] ?? new Uint8Array(0),
    proof: inclusionProof(index, entries.length, read),
  });
  const [intent, result] = [entry(certificateAt), entry(certificateAt + 1)];
  return encodeProofFile({ intent, result, checkpoint });
}
