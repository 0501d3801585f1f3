/** What is read from a log that may not be ours: entries, signed notes, checkpoints, verifier keys, names of tiles. */

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { LogAuditor } from "../../../src/core/log/audit.ts";
import { openCheckpoint, signCheckpoint } from "../../../src/core/log/checkpoint.ts";
import { decodeEntry, encodeEntry } from "../../../src/core/log/entry-codec.ts";
import { emptyRoot } from "../../../src/core/log/merkle.ts";
import {
  encodeVerifierKey,
  noteSigner,
  noteVerifier,
  parseVerifierKey,
} from "../../../src/core/log/note-key.ts";
import { openNote, signNote } from "../../../src/core/log/note.ts";
import { parseTilePath, tilePath } from "../../../src/core/log/tile.ts";
import {
  sampleEvent,
  sampleIntent,
  sampleRefusals,
  sampleResult,
} from "../../support/log-entries.ts";
import { ed25519Key } from "../keys.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

export const logEntry: FuzzTarget = {
  name: "log-entry",
  shape: "bytes",
  dictionary: ["spiffe://", "\u0000\u0000", "\u00ff\u00ff", "\ufeff"],
  seeds: () => ({
    intent: encodeEntry(sampleIntent()),
    serving: encodeEntry(sampleIntent({ artifact: "serving", identity: "", requestId: "" })),
    agent: encodeEntry(sampleIntent({ agent: "agent-1" })),
    root: encodeEntry(sampleIntent({ root: "4d".repeat(32), agent: "agent-1" })),
    result: encodeEntry(sampleResult()),
    failed: encodeEntry(
      sampleResult({ outcome: "failed", reason: "hsm", certificateDigest: new Uint8Array(0) }),
    ),
    refusals: encodeEntry(sampleRefusals()),
    event: encodeEntry(sampleEvent({ detail: "{}", digest: new Uint8Array(32) })),
    goodbye: encodeEntry(sampleEvent({ type: "goodbye", subject: "spiffe://td/a", detail: "a1" })),
  }),
  check: (input) => {
    const auditor = new LogAuditor();
    const fault = auditor.take(0, input);
    auditor.finish();
    const entry = valueOrTyped(() => decodeEntry(input));
    if (entry === undefined) {
      assert.equal(fault?.code, "entry-malformed");
      return false;
    }
    // One encoding for each value, or a leaf hash would not say what was meant.
    assert.deepEqual(encodeEntry(entry), input);
    return true;
  },
};

const origin = "cluster.local/portcullis/log";
const privateKey = ed25519Key("log");
const signer = noteSigner(origin, privateKey);
const verifier = noteVerifier(origin, createPublicKey(privateKey));
/** All that this key has ever signed. */
const signed = [
  signCheckpoint(0, emptyRoot, signer),
  signCheckpoint(70_000, new Uint8Array(32).fill(7), signer),
  signNote("another\nlog\n\nwith a blank line\n", signer),
];
const signedTexts = new Set(signed.map((each) => openNote(each, [verifier]).text));

export const note: FuzzTarget = {
  name: "note",
  shape: "text",
  dictionary: [
    "\n\n",
    "\n",
    "— ",
    `— ${origin} `,
    "+",
    "AAAA",
    "\u0000",
    "\ud800",
    "\u00a0",
    ".p/256",
    "x000/",
  ],
  seeds: () => ({
    empty: signed[0] ?? "",
    checkpoint: signed[1] ?? "",
    other: signed[2] ?? "",
    key: encodeVerifierKey(verifier),
    tile: "tile/0/x001/x234/067.p/5",
    entries: "tile/entries/000",
  }),
  check: (input) => {
    const text = textOf(input);
    const key = valueOrTyped(() => parseVerifierKey(text));
    if (key !== undefined) assert.equal(encodeVerifierKey(key), text);
    const tile = valueOrTyped(() => parseTilePath(text));
    if (tile !== undefined) assert.equal(tilePath(tile), text);
    const opened = valueOrTyped(() => openNote(text, [verifier]));
    if (opened !== undefined) assert.ok(signedTexts.has(opened.text), "a text that was signed");
    valueOrTyped(() => openCheckpoint(text, [verifier]));
    return assertSigned(text) || opened !== undefined || tile !== undefined || key !== undefined;
  },
};

/** The damage itself signed: what is a note opens as it was, and what is a checkpoint is written in one way only. */
function assertSigned(text: string): boolean {
  const whole = valueOrTyped(() => signNote(text, signer));
  if (whole === undefined) return false;
  assert.equal(openNote(whole, [verifier]).text, text);
  const checkpoint = valueOrTyped(() => openCheckpoint(whole, [verifier]));
  if (checkpoint !== undefined) {
    assert.equal(signCheckpoint(checkpoint.size, checkpoint.root, signer), whole);
  }
  return checkpoint !== undefined;
}
