import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";

import {
  sampleEvent,
  sampleIntent,
  sampleResult,
  serialOf,
} from "../../../test/support/log-entries.ts";
import { treeOf } from "../../../test/support/log-tree.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { encodeEntry } from "./entry-codec.ts";
import type { Entry } from "./entry.ts";
import { LogError, type LogErrorCode } from "./log-error.ts";
import { Frontier, leafHash } from "./merkle.ts";
import { noteSigner, noteVerifier } from "./note-key.ts";
import { encodeProofFile, verifyProofFile } from "./proof-file.ts";
import { inclusionProof } from "./proof.ts";

const keys = generateKeyPairSync("ed25519");
const origin = "cluster.local/portcullis/log";
const signer = noteSigner(origin, keys.privateKey);
const verifier = noteVerifier(origin, keys.publicKey);

const intent = sampleIntent({ serial: serialOf(2) });
const result = sampleResult({ serial: serialOf(2), intentIndex: 2 });
const entries: readonly Entry[] = [
  sampleEvent(),
  sampleIntent({ serial: serialOf(1) }),
  intent,
  sampleResult({ serial: serialOf(1), intentIndex: 1 }),
  result,
  sampleEvent({ type: "command" }),
];

/** As the log would prove the entries of these indices, whether or not they belong together. */
function prove(log: readonly Entry[], intentIndex: number, resultIndex: number): string {
  const bytes = log.map(encodeEntry);
  const read = treeOf(bytes.map(leafHash));
  const entry = (index: number) => ({
    index,
    bytes: bytes[index] ?? new Uint8Array(0),
    proof: inclusionProof(index, bytes.length, read),
  });
  const checkpoint = signCheckpoint(bytes.length, Frontier.read(bytes.length, read).root(), signer);
  return encodeProofFile({ intent: entry(intentIndex), result: entry(resultIndex), checkpoint });
}

function codeOf(action: () => unknown): LogErrorCode | "accepted" {
  try {
    action();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    return error.code;
  }
}

const file = prove(entries, 2, 4);
const malformed = "log-proof-file-malformed";

/** Of the extra data, where the hashes begin. */
const intentEnd = [result, intent].reduce((end, each) => end + 2 + encodeEntry(each).length, 0);

function withExtra(change: (octets: readonly number[]) => readonly number[]): string {
  return file.replace(/(?<=extra ).*/, (base64) =>
    Buffer.from(change([...Buffer.from(base64, "base64")])).toString("base64"),
  );
}

describe("verifyProofFile", () => {
  it("finds the intent and the result of a certificate, in the tree that the log signed", () => {
    const { checkpoint, ...proved } = verifyProofFile(file, [verifier]);
    assert.deepEqual([checkpoint.origin, checkpoint.size], [origin, 6]);
    assert.deepEqual(proved, { intent, intentIndex: 2, result, resultIndex: 4 });
  });

  it("finds them in a tree of two entries, too", () => {
    const small = [sampleIntent(), sampleResult({ intentIndex: 0 })];
    assert.equal(verifyProofFile(prove(small, 0, 1), [verifier]).checkpoint.size, 2);
  });

  it("believes nothing that was changed: no character can be another or be left out", () => {
    for (const at of Array.from(file).keys()) {
      const character = file[at] ?? "";
      for (const other of ["", character === "A" ? "B" : "A", `${character}${character}`]) {
        const mutant = `${file.slice(0, at)}${other}${file.slice(at + 1)}`;
        if (mutant === file) continue;
        assert.notEqual(
          codeOf(() => verifyProofFile(mutant, [verifier])),
          "accepted",
          mutant,
        );
      }
    }
  });

  const swapped = entries.map((entry, index) =>
    index === 4 ? sampleResult({ serial: serialOf(9), intentIndex: 2 }) : entry,
  );
  const early = [sampleEvent(), sampleResult({ intentIndex: 2 }), sampleIntent()];
  const refused: readonly (readonly [what: string, text: string, code: LogErrorCode])[] = [
    ["an event for a result", prove(entries, 2, 5), "log-proof-invalid"],
    ["an intent for a result", prove(entries, 1, 2), "log-proof-invalid"],
    ["another intent than the result's", prove(entries, 1, 4), "log-proof-invalid"],
    ["a result with another serial than its intent's", prove(swapped, 2, 4), "log-proof-invalid"],
    ["a result before its intent", prove(early, 2, 1), "log-proof-invalid"],
    ["nothing", "", "log-proof-file-malformed"],
    ["another version", file.replace("@v1", "@v2"), "log-proof-file-malformed"],
    ["no extra data", file.replace(/extra .*\n/, ""), "log-proof-file-malformed"],
    [
      "extra data of nothing",
      file.replace(/extra .*\n/, "extra AAA=\n"),
      "log-proof-file-malformed",
    ],
    ["an octet too many in its extra data", withExtra((octets) => [...octets, 0]), malformed],
    ["half a result", withExtra((octets) => octets.slice(0, 40)), malformed],
    ["half an intent", withExtra((octets) => octets.slice(0, intentEnd - 32)), malformed],
    [
      "an index with a leading zero",
      file.replace("index 4", "index 04"),
      "log-proof-file-malformed",
    ],
    ["more than 256 Ki characters", file + "x".repeat(262_144), "log-proof-file-malformed"],
  ];
  for (const [what, text, code] of refused) {
    it(`refuses ${what}`, () => {
      assert.equal(
        codeOf(() => verifyProofFile(text, [verifier])),
        code,
      );
    });
  }

  it("refuses the file of a log whose key it was not given", () => {
    const other = noteVerifier(origin, generateKeyPairSync("ed25519").publicKey);
    assert.equal(
      codeOf(() => verifyProofFile(file, [other])),
      "log-note-unverified",
    );
  });
});
