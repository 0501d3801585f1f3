/** What a data directory knows of its Secret: read as it was written, and nothing else. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeKnownSecret, parseKnownSecret, type KnownSecret } from "./known-secret.ts";

const known: KnownSecret = {
  writer: "8899aabbccddeeff",
  lineage: "00112233445566aa",
  epoch: 3,
  digest: "w",
  attempted: [{ epoch: 4, digest: "x" }],
  ttlMaxSeconds: 86_400,
  adoptedMs: 0,
  holders: ["portcullis-0_8899aabbccddeeff_01020304"],
};

describe("what is known of the Secret of the trust", () => {
  it("is read as it was written", () => {
    assert.deepEqual(parseKnownSecret(encodeKnownSecret(known)), known);
  });

  const wrong: readonly (readonly [string, unknown])[] = [
    ["no object", []],
    ["a name that is none", { ...known, writer: 7 }],
    ["no lineage", { ...known, lineage: undefined }],
    ["an epoch that is text", { ...known, epoch: "3" }],
    ["attempts that are none", { ...known, attempted: [{ epoch: -1, digest: "x" }] }],
    ["no attempts", { ...known, attempted: undefined }],
    ["holders that are none", { ...known, holders: [7] }],
    ["a lifetime that is none", { ...known, ttlMaxSeconds: 0.5 }],
  ];
  for (const [what, value] of wrong) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseKnownSecret(JSON.stringify(value)), { code: "store-unreadable" });
    });
  }

  it("is read as an older version wrote it, which knew no holders", () => {
    const { holders: _, ...older } = known;
    assert.deepEqual(parseKnownSecret(JSON.stringify(older)), { ...known, holders: [] });
  });

  it("is refused where it is no JSON", () => {
    assert.throws(() => parseKnownSecret("{"), { code: "store-unreadable" });
  });
});
