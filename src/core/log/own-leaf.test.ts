import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { proveKey } from "../issuance/workload.ts";
import { createCsr } from "../x509/csr-create.ts";
import { parseSinglePem } from "../x509/pem.ts";
import { makeAuthority } from "../../../test/support/authority.ts";
import { signTestLeaf } from "../../../test/support/ca-port.ts";
import { sampleEvent, sampleIntent, sampleResult } from "../../../test/support/log-entries.ts";
import { naiveRoot, treeOf } from "../../../test/support/log-tree.ts";
import { encodeEntry } from "./entry-codec.ts";
import type { Entry, IntentEntry, ResultEntry } from "./entry.ts";
import { LogError } from "./log-error.ts";
import { leafHash } from "./merkle.ts";
import { ownLeaf, verifyOwnLeaf } from "./own-leaf.ts";
import { inclusionProof } from "./proof.ts";

const identity = "spiffe://cluster.local/ns/default/sa/web";
const authority = await makeAuthority("p256", Date.now());
const { csrPem } = await createCsr();
const pem = signTestLeaf(authority, {
  publicKey: proveKey(csrPem),
  uris: [identity],
  ttlSeconds: 60,
});
const leaf = ownLeaf(identity, parseSinglePem(pem, "CERTIFICATE"));
const other = new Uint8Array(32).fill(7);

interface Changes {
  readonly intent?: Partial<IntentEntry>;
  readonly result?: Partial<ResultEntry>;
  /** In place of the intent. */
  readonly first?: Entry;
  readonly resultFirst?: boolean;
}

/** A log of two entries that has the leaf, but for the changes. */
function proved({ intent, result, first, resultFirst = false }: Changes) {
  const { serial, tbsDigest, keyDigest, certificateDigest } = leaf;
  const intentIndex = resultFirst ? 1 : 0;
  const entries = [
    encodeEntry(first ?? sampleIntent({ identity, serial, tbsDigest, keyDigest, ...intent })),
    encodeEntry(sampleResult({ intentIndex, serial, certificateDigest, ...result })),
  ];
  const order = resultFirst ? entries.toReversed() : entries;
  const leaves = order.map(leafHash);
  const [intentAt, resultAt] = resultFirst ? [1, 0] : [0, 1];
  const proveAt = (index: number) => ({
    index,
    bytes: order[index] ?? new Uint8Array(),
    proof: inclusionProof(index, 2, treeOf(leaves)),
  });
  return {
    checkpoint: { origin: "log", size: 2, root: naiveRoot(leaves) },
    found: { intent: proveAt(intentAt), result: proveAt(resultAt) },
  };
}

describe("a certificate's own entries", () => {
  it("are believed when both are in the tree and everything in them is its own", () => {
    const { checkpoint, found } = proved({});
    assert.doesNotThrow(() => verifyOwnLeaf(leaf, found, checkpoint));
  });

  const wrong: readonly (readonly [string, Changes])[] = [
    ["another identity", { intent: { identity: `${identity}2` } }],
    ["another key", { intent: { keyDigest: other } }],
    ["another content", { intent: { tbsDigest: other } }],
    ["another certificate", { result: { certificateDigest: other } }],
    ["another serial in the intent", { intent: { serial: Uint8Array.of(1) } }],
    ["another serial in the result", { result: { serial: Uint8Array.of(1) } }],
    ["an artifact of another kind", { intent: { artifact: "serving" } }],
    ["another intent", { result: { intentIndex: 7 } }],
    ["an event for the intent", { first: sampleEvent() }],
    ["the result before its intent", { resultFirst: true }],
    [
      "a result that is not signed",
      { result: { outcome: "unknown", certificateDigest: new Uint8Array(), reason: "x" } },
    ],
  ];
  for (const [what, changes] of wrong) {
    it(`are refused with ${what}`, () => {
      const { checkpoint, found } = proved(changes);
      assert.throws(() => verifyOwnLeaf(leaf, found, checkpoint), LogError);
    });
  }

  it("are refused in another tree", () => {
    const { checkpoint, found } = proved({});
    const another = { ...checkpoint, root: other };
    assert.throws(() => verifyOwnLeaf(leaf, found, another), LogError);
  });
});
