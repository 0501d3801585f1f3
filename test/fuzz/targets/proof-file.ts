/** Proof files: whatever stands in one, only what is in the log is proved by it. */

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { signCheckpoint } from "../../../src/core/log/checkpoint.ts";
import { encodeEntry } from "../../../src/core/log/entry-codec.ts";
import type { Entry } from "../../../src/core/log/entry.ts";
import { Frontier, leafHash } from "../../../src/core/log/merkle.ts";
import { noteSigner, noteVerifier } from "../../../src/core/log/note-key.ts";
import { encodeProofFile, verifyProofFile } from "../../../src/core/log/proof-file.ts";
import { inclusionProof } from "../../../src/core/log/proof.ts";
import { sampleEvent, sampleIntent, sampleResult, serialOf } from "../../support/log-entries.ts";
import { treeOf } from "../../support/log-tree.ts";
import { ed25519Key } from "../keys.ts";
import { textOf, valueOrTyped, type FuzzTarget } from "../target.ts";

const origin = "cluster.local/portcullis/log";
const privateKey = ed25519Key("proofs");
const signer = noteSigner(origin, privateKey);
const verifier = noteVerifier(origin, createPublicKey(privateKey));
const log: readonly Entry[] = [
  sampleEvent(),
  sampleIntent({ serial: serialOf(1) }),
  sampleIntent({ serial: serialOf(2) }),
  sampleResult({ serial: serialOf(1), intentIndex: 1 }),
  sampleResult({ serial: serialOf(2), intentIndex: 2 }),
];
const encoded = log.map(encodeEntry);
const read = treeOf(encoded.map(leafHash));
const checkpoint = signCheckpoint(log.length, Frontier.read(log.length, read).root(), signer);

function prove(intentIndex: number, resultIndex: number): string {
  const entry = (index: number) => ({
    index,
    bytes: encoded[index] ?? new Uint8Array(0),
    proof: inclusionProof(index, log.length, read),
  });
  return encodeProofFile({ intent: entry(intentIndex), result: entry(resultIndex), checkpoint });
}

export const proofFile: FuzzTarget = {
  name: "proof-file",
  shape: "text",
  dictionary: [
    "c2sp.org/tlog-proof@v1\n",
    "extra ",
    "index ",
    "\n\n",
    "— ",
    "_",
    `${"A".repeat(43)}=\n`,
  ],
  seeds: () => ({ first: prove(1, 3), second: prove(2, 4), crossed: prove(1, 4) }),
  check: (input) => {
    const proved = valueOrTyped(() => verifyProofFile(textOf(input), [verifier]));
    if (proved === undefined) return false;
    assert.deepEqual(proved.intent, log[proved.intentIndex]);
    assert.deepEqual(proved.result, log[proved.resultIndex]);
    assert.equal(proved.result.intentIndex, proved.intentIndex);
    return true;
  },
};
