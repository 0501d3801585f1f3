/** The trust state in a Secret: read back as it was written, and refused where a hand or time has touched it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TrustDomain } from "../../spiffe/id.ts";
import { initialTrustState } from "../../trust/trust-state.ts";
import {
  encodeTrustRecord,
  parseTrustRecord,
  stateDigest,
  TrustRecordError,
} from "./trust-record.ts";

const state = {
  ...initialTrustState({
    trustDomain: TrustDomain.parse("cluster.local"),
    authority: { id: "ab", chain: [], root: Uint8Array.of(1, 2, 3), key: "store", auto: false },
    nowMs: Date.UTC(2026, 10, 30),
  }),
  epoch: 12,
};
const record = {
  lineage: "00112233445566aa",
  writer: "8899aabbccddeeff",
  ttlMaxSeconds: 86_400,
  state,
};
const text = encodeTrustRecord(record);

function refusal(changed: string): string {
  try {
    parseTrustRecord(changed);
  } catch (error) {
    assert.ok(error instanceof TrustRecordError, String(error));
    return error.code;
  }
  return "none";
}

function edited(change: Readonly<Record<string, unknown>>): string {
  const value: unknown = JSON.parse(text);
  return JSON.stringify(Object.assign(Object(value), change));
}

describe("a trust record", () => {
  it("is read as it was written", () => {
    const read = parseTrustRecord(text);
    assert.deepEqual([read.lineage, read.writer], [record.lineage, record.writer]);
    assert.deepEqual([read.state.epoch, read.ttlMaxSeconds], [12, 86_400]);
    assert.equal(stateDigest(read.state), stateDigest(state));
    assert.equal(encodeTrustRecord(read), text);
  });

  const table = [
    ["no JSON", "{", "trust-record-malformed"],
    ["no object", "[]", "trust-record-malformed"],
    ["nothing", "", "trust-record-malformed"],
    ["more than a record can be", " ".repeat(50_000), "trust-record-malformed"],
    ["another epoch", edited({ epoch: 13 }), "trust-record-edited"],
    ["an epoch that is none", edited({ epoch: 1.5 }), "trust-record-malformed"],
    ["another lineage", edited({ lineage: "ffffffffffffffff" }), "trust-record-edited"],
    ["a lineage that is none", edited({ lineage: "../x" }), "trust-record-malformed"],
    ["another writer", edited({ writer: "ffffffffffffffff" }), "trust-record-edited"],
    ["another lifetime", edited({ ttlMaxSeconds: 60 }), "trust-record-edited"],
    ["a lifetime that is none", edited({ ttlMaxSeconds: "1h" }), "trust-record-malformed"],
    ["another document", edited({ document: "{}" }), "trust-record-edited"],
    ["no digest", edited({ sha256: undefined }), "trust-record-edited"],
    ["a later version", edited({ version: 2 }), "trust-record-newer"],
    ["no version", edited({ version: "1" }), "trust-record-malformed"],
  ] as const;
  for (const [what, changed, code] of table) {
    it(`refuses ${what} as ${code}`, () => assert.equal(refusal(changed), code));
  }

  it("says of a document of a later version, as a server wrote it, that it is newer", () => {
    const { document } = JSON.parse(text);
    const later = String(document).replace('"version":4', '"version":5');
    assert.notEqual(later, document);
    assert.equal(
      refusal(text.replace(JSON.stringify(document), JSON.stringify(later))),
      "trust-record-edited",
    );
  });

  it("is refused with any of its characters changed", () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom("x", "0", '"', " "), (at, character) => {
        fc.pre(text[at] !== character);
        assert.notEqual(refusal(text.slice(0, at) + character + text.slice(at + 1)), "none");
      }),
    );
  });
});
