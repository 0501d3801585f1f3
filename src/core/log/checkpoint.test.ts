import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";

import { LogError, type LogErrorCode } from "./log-error.ts";
import { logOrigin, openCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { noteSigner, noteVerifier } from "./note-key.ts";
import { signNote } from "./note.ts";

const keys = generateKeyPairSync("ed25519");
const origin = logOrigin("cluster.local");
const signer = noteSigner(origin, keys.privateKey);
const verifier = noteVerifier(origin, keys.publicKey);
const root = new Uint8Array(32).fill(7);
const rootText = Buffer.from(root).toString("base64");

function codeOf(action: () => unknown): LogErrorCode | "accepted" {
  try {
    action();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    return error.code;
  }
}

describe("checkpoints", () => {
  it("have origin, size and root on a line each", () => {
    const note = signCheckpoint(70_000, root, signer);
    const start = `cluster.local/portcullis/log\n70000\n${rootText}\n\n— cluster.local/portcullis/log `;
    assert.equal(note.slice(0, start.length), start);
  });

  for (const size of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    it(`are read back with a size of ${size}`, () => {
      const note = signCheckpoint(size, root, signer);
      assert.deepEqual(openCheckpoint(note, [verifier]), { origin, size, root });
    });
  }

  const refused: readonly (readonly [what: string, text: string])[] = [
    ["no origin", `\n1\n${rootText}\n`],
    ["no size", `${origin}\n\n${rootText}\n`],
    ["a size with a leading zero", `${origin}\n01\n${rootText}\n`],
    ["a size with a sign", `${origin}\n+1\n${rootText}\n`],
    ["a size beyond 2^53", `${origin}\n9007199254740993\n${rootText}\n`],
    ["a size of 2^53", `${origin}\n9007199254740992\n${rootText}\n`],
    ["a size below 0", `${origin}\n-1\n${rootText}\n`],
    ["a size that is no number", `${origin}\nNaN\n${rootText}\n`],
    ["a size without end", `${origin}\nInfinity\n${rootText}\n`],
    ["a size in hex", `${origin}\n0x10\n${rootText}\n`],
    ["a root of 31 octets", `${origin}\n1\n${Buffer.alloc(31).toString("base64")}\n`],
    ["a root in URL-safe base64", `${origin}\n1\n${"_".repeat(42)}8=\n`],
    ["an extension line", `${origin}\n1\n${rootText}\nmore\n`],
    ["two lines", `${origin}\n1\n`],
  ];
  for (const [what, text] of refused) {
    it(`are refused with ${what}, though signed`, () => {
      const note = signNote(text, signer);
      assert.equal(
        codeOf(() => openCheckpoint(note, [verifier])),
        "log-checkpoint-malformed",
      );
    });
  }

  it("count only under the name of their log", () => {
    const witness = generateKeyPairSync("ed25519");
    const text = `${origin}\n1\n${rootText}\n`;
    const note = signNote(text, noteSigner("witness.example", witness.privateKey));
    const known = noteVerifier("witness.example", witness.publicKey);
    assert.equal(
      codeOf(() => openCheckpoint(note, [verifier, known])),
      "log-note-unverified",
    );
  });
});
