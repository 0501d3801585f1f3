import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { openCheckpoint, signCheckpoint } from "../log/checkpoint.ts";
import type { Entry } from "../log/entry.ts";
import { decodeEntry, encodeEntry } from "../log/entry-codec.ts";
import { noteSigner, noteVerifier } from "../log/note-key.ts";
import { parseRestored } from "../log/restored.ts";
import { encodeMarker, parseMarker, type RestoreMarker } from "./restore-marker.ts";
import {
  decideRestored,
  isRecordOf,
  newestNote,
  restoredEvent,
  restoredState,
  withWitnessed,
  type KnownCheckpoint,
} from "./restored-start.ts";

const origin = "prod.example/portcullis/log";
const keys = generateKeyPairSync("ed25519");
const verifier = noteVerifier(origin, keys.publicKey);
const signer = noteSigner(origin, keys.privateKey);
const noteOf = (size: number): string =>
  signCheckpoint(size, new Uint8Array(32).fill(size), signer);
const knownOf = (size: number): KnownCheckpoint => {
  return { note: noteOf(size), checkpoint: openCheckpoint(noteOf(size), [verifier]) };
};
const stranger = noteSigner(origin, generateKeyPairSync("ed25519").privateKey);
const foreign = signCheckpoint(50, new Uint8Array(32), stranger);

const restoredAtMs = 1_790_000_000_000;
const markerOf = (changes: Partial<RestoreMarker> = {}): RestoreMarker => ({
  restoredAtMs,
  operator: "alice",
  backupAtMs: restoredAtMs - 86_400_000,
  checkpoint: noteOf(10),
  newest: "",
  longestLifeMs: 3_600_000,
  ...changes,
});
const stateOf = (changes: Partial<RestoreMarker> = {}) =>
  restoredState(markerOf(changes), verifier);

describe("a restored server", () => {
  it("waits for its agents as long as it was told, and no longer", () => {
    const state = stateOf();
    assert.deepEqual(decideRestored(state, { waitedMs: 0, waitMs: 120_000 }), {
      kind: "wait",
      forMs: 120_000,
    });
    for (const waitedMs of [120_000, 500_000, Number.NaN]) {
      assert.deepEqual(decideRestored(state, { waitedMs, waitMs: 120_000 }), { kind: "settle" });
    }
    assert.deepEqual(decideRestored(state, { waitedMs: 0, waitMs: 0 }), { kind: "settle" });
  });

  it("does not wait where the operator has brought what an agent knows", () => {
    const state = stateOf({ newest: noteOf(12) });
    assert.deepEqual(decideRestored(state, { waitedMs: 0, waitMs: 120_000 }), { kind: "settle" });
  });

  it("records the newest checkpoint of all that agents came with, and never less than the backup", () => {
    const sizes = fc.array(fc.nat({ max: 100 }));
    fc.assert(
      fc.property(sizes, fc.nat({ max: 100 }), (seen, brought) => {
        const start = stateOf({ newest: brought === 0 ? "" : noteOf(brought) });
        const state = seen.map(knownOf).reduce(withWitnessed, start);
        const to = Math.max(10, brought, ...seen);
        const { detail } = restoredEvent(state, 0);
        assert.deepEqual(parseRestored(detail), {
          from: 10,
          to,
          checkpoint: noteOf(to),
          possibleUntilMs: restoredAtMs + 3_600_000,
        });
      }),
    );
  });

  it("says until when what it does not know may be valid: by the longest life of all", () => {
    const until = (maxTtlMs: number): number =>
      parseRestored(restoredEvent(stateOf(), maxTtlMs).detail).possibleUntilMs;
    assert.equal(until(90 * 86_400_000), restoredAtMs + 90 * 86_400_000);
    assert.equal(until(1), restoredAtMs + 3_600_000);
  });

  it("takes no note that would not fit into the log", () => {
    const state = stateOf();
    const long = { ...knownOf(20), note: `${noteOf(20)}${"x".repeat(3_100)}` };
    assert.equal(withWitnessed(state, long), state);
    assert.equal(withWitnessed(state, undefined), state);
  });

  it("writes an entry that the log takes, and knows it again", () => {
    const operator = "\u{1F511}".repeat(60);
    const state = withWitnessed(stateOf({ operator }), knownOf(2 ** 40));
    const entry: Entry = { kind: "event", timeMs: restoredAtMs, ...restoredEvent(state, 1e12) };
    const stored = decodeEntry(encodeEntry(entry));
    assert.ok(isRecordOf(state, stored));
    assert.ok(!isRecordOf(stateOf({ checkpoint: noteOf(11) }), stored));
    assert.ok(!isRecordOf(state, { ...entry, type: "command" }));
  });

  it("refuses a marker whose checkpoints are of another log", () => {
    for (const changes of [{ checkpoint: foreign }, { newest: foreign }]) {
      assert.throws(() => stateOf(changes), { code: "log-note-unverified" });
    }
  });
});

describe("what an operator brings", () => {
  const backup = knownOf(10).checkpoint;
  const newest = (...notes: readonly string[]): string =>
    newestNote(new Map(notes.map((note, index) => [`file-${index}`, note])), backup, verifier);

  it("counts where it is newer than the backup", () => {
    assert.equal(newest(), "");
    assert.equal(newest(noteOf(9), noteOf(10)), "");
    assert.equal(newest(noteOf(12), noteOf(30), noteOf(11)), noteOf(30));
  });

  it("is refused by its name unless the log of the backup has signed it", () => {
    for (const note of [foreign, "", "a note"]) {
      assert.throws(() => newest(noteOf(12), note), {
        code: "restore-checkpoint-unusable",
        message: /^file-1: /,
      });
    }
  });
});

describe("the marker of a restore", () => {
  it("is read as it was written", () => {
    const marker = markerOf({ newest: noteOf(20) });
    assert.deepEqual(parseMarker(encodeMarker(marker)), marker);
  });

  const wrong: readonly (readonly [string, (text: string) => string])[] = [
    ["is no JSON", (text) => text.slice(1)],
    ["is cut off", (text) => text.slice(0, -3)],
    ["is of a newer version", (text) => text.replace('"version": 1', '"version": 2')],
    ["has no time", (text) => text.replace(/"restoredAtMs": \d+/, '"restoredAtMs": "now"')],
    ["has an operator of two lines", (text) => text.replace("alice", String.raw`alice\nbob`)],
  ];
  for (const [what, change] of wrong) {
    it(`is refused when it ${what}`, () => {
      assert.throws(() => parseMarker(change(encodeMarker(markerOf()))), {
        code: "restore-marker-malformed",
      });
    });
  }
});
