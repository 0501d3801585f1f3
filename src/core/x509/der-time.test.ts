import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { DerReader } from "./der.ts";
import { TAG } from "./der-tag.ts";
import { readTime } from "./der-time.ts";

function read(tag: number, text: string): number {
  return readTime(DerReader.over(Uint8Array.of(tag, text.length, ...Buffer.from(text, "latin1"))));
}

describe("readTime", () => {
  it("reads every second of RFC 5280's range that it is given, in the type of its year", () => {
    const from = Date.UTC(1950, 0, 1);
    const to = Date.UTC(9999, 11, 31, 23, 59, 59);
    fc.assert(
      fc.property(fc.integer({ min: from / 1000, max: to / 1000 }), (seconds) => {
        const digits = new Date(seconds * 1000).toISOString().replaceAll(/[-:T]|\.000/g, "");
        const isUtcTime = digits < "2050";
        const tag = isUtcTime ? TAG.utcTime : TAG.generalizedTime;
        assert.equal(read(tag, isUtcTime ? digits.slice(2) : digits), seconds * 1000);
      }),
      { numRuns: 2000 },
    );
  });

  it("knows the leap years", () => {
    assert.equal(read(TAG.utcTime, "240229000000Z"), Date.UTC(2024, 1, 29));
    assert.equal(read(TAG.utcTime, "000229000000Z"), Date.UTC(2000, 1, 29));
    assert.throws(() => read(TAG.utcTime, "230229000000Z"), { code: "der-time-invalid" });
    assert.throws(() => read(TAG.generalizedTime, "21000229000000Z"), {
      code: "der-time-invalid",
    });
  });

  for (const [tag, text] of [
    [TAG.utcTime, "2601010000Z"],
    [TAG.utcTime, "260101000000"],
    [TAG.utcTime, "260101000000z"],
    [TAG.utcTime, "260101000000+0000"],
    [TAG.utcTime, "20260101000000Z"],
    [TAG.utcTime, "260101000000Z0"],
    [TAG.utcTime, ":60101000000Z"],
    [TAG.utcTime, "2/0101000000Z"],
    [TAG.utcTime, "2:0101000000Z"],
    [TAG.utcTime, "260001000000Z"],
    [TAG.utcTime, "261301000000Z"],
    [TAG.utcTime, "260100000000Z"],
    [TAG.utcTime, "260132000000Z"],
    [TAG.utcTime, "260431000000Z"],
    [TAG.utcTime, "260101240000Z"],
    [TAG.utcTime, "260101006000Z"],
    [TAG.utcTime, "261231235960Z"],
    [TAG.utcTime, "26 101000000Z"],
    [TAG.utcTime, "26/:01000000Z"],
    [TAG.utcTime, "-60101000000Z"],
    [TAG.generalizedTime, "20491231235959Z"],
    [TAG.generalizedTime, "00000101000000Z"],
    [TAG.generalizedTime, "20500101000000.0Z"],
    [TAG.generalizedTime, "205001010000Z"],
    [TAG.generalizedTime, "500101000000Z"],
    [TAG.generalizedTime, ""],
  ] as const) {
    it(`rejects ${JSON.stringify(text)} of tag ${tag}`, () => {
      assert.throws(() => read(tag, text), { name: "DerError", code: "der-time-invalid" });
    });
  }

  it("rejects another type", () => {
    assert.throws(() => read(TAG.octetString, "260101000000Z"), { code: "der-unexpected-tag" });
  });
});
