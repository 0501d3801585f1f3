import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { DerError } from "./der-error.ts";
import { DerReader } from "./der.ts";
import type { DerErrorCode } from "./der-error.ts";
import { TAG } from "./der-tag.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const over = (hex: string): DerReader => DerReader.over(bytes(hex));

describe("lengths", () => {
  const accepted: readonly (readonly [string, number])[] = [
    ["0400", 0],
    [`047f${"aa".repeat(0x7f)}`, 0x7f],
    [`048180${"aa".repeat(0x80)}`, 0x80],
    [`0481ff${"aa".repeat(0xff)}`, 0xff],
    [`04820100${"aa".repeat(0x100)}`, 0x100],
    [`0483010000${"aa".repeat(0x10000)}`, 0x10000],
  ];
  for (const [hex, length] of accepted) {
    it(`reads ${length} bytes of contents`, () => {
      const reader = over(hex);
      assert.equal(reader.readContents(TAG.octetString).length, length);
      reader.expectEnd();
    });
  }

  const rejected: readonly (readonly [string, string, DerErrorCode])[] = [
    ["nothing", "", "der-truncated"],
    ["a tag without a length", "04", "der-truncated"],
    ["contents that are too short", "0402aa", "der-truncated"],
    ["a length that is cut off", "0482", "der-truncated"],
    ["a length octet that is missing", "048201", "der-truncated"],
    ["an indefinite length", "0480aa0000", "der-length-indefinite"],
    ["a long form of a short length", "04817faa", "der-length-not-minimal"],
    ["a length with a leading zero", `0482ff${"aa".repeat(255)}`, "der-truncated"],
    ["a length of two octets where one will do", "048200ff", "der-length-not-minimal"],
    ["a length of four octets where one will do", "04840000000101", "der-length-not-minimal"],
    ["a length of 4 GiB", "0484ffffffff", "der-truncated"],
    ["a length of five octets", "04850100000000", "der-length-too-large"],
    ["the reserved length octet", "04ff", "der-length-too-large"],
  ];
  for (const [what, hex, code] of rejected) {
    it(`rejects ${what}`, () => {
      assert.throws(() => over(hex).readContents(TAG.octetString), { name: "DerError", code });
    });
  }
});

describe("tags", () => {
  it("rejects another tag than the expected one", () => {
    assert.throws(() => over("0500").enter(TAG.sequence), { code: "der-unexpected-tag" });
  });

  for (const hex of ["1f0100", "3f8100", "bf0100", "df0100"]) {
    it(`rejects the high tag number in ${hex}`, () => {
      assert.throws(() => over(hex).skip(), { name: "DerError", code: "der-tag-invalid" });
    });
  }

  it("lets exactly SEQUENCE and SET of the universal types be constructed", () => {
    for (let tag = 0; tag < 0x40; tag++) {
      const isLegal =
        tag === 0x30 || tag === 0x31 || (tag < 0x20 && ![0, 16, 17, 31].includes(tag));
      const code = errorCode(() => DerReader.over(Uint8Array.of(tag, 0)).skip());
      assert.equal(code === "der-tag-invalid", !isLegal);
    }
  });

  it("skips context tags of both kinds", () => {
    const reader = over("8001aa a003020105".replaceAll(" ", ""));
    reader.skipAll();
    reader.expectEnd();
  });
});

describe("nesting", () => {
  it("skips 16 levels and rejects 17", () => {
    DerReader.over(nested(16)).skip();
    assert.throws(() => DerReader.over(nested(17)).skip(), { code: "der-too-deep" });
  });

  it("rejects 10,000 levels without running out of stack", () => {
    assert.throws(() => DerReader.over(nested(10_000)).skip(), { code: "der-too-deep" });
  });

  it("rejects an element that reaches beyond the one around it", () => {
    const inner = over("3003040201 02".replaceAll(" ", "")).enter(TAG.sequence);
    assert.throws(() => inner.readContents(TAG.octetString), { code: "der-truncated" });
  });

  it("rejects a length whose octets lie beyond the element around it", () => {
    const inner = over("300204820001").enter(TAG.sequence);
    assert.throws(() => inner.readContents(TAG.octetString), { code: "der-truncated" });
  });

  it("does not look at what follows an element that is read to its end", () => {
    const inner = over("30000500").enter(TAG.sequence);
    assert.equal(inner.nextIs(TAG.null), false);
    assert.throws(() => inner.peekTag(), { code: "der-truncated" });
    assert.throws(() => inner.skip(), { code: "der-truncated" });
  });

  it("rejects bytes behind the end", () => {
    assert.throws(() => over("0500").expectEnd(), { code: "der-trailing-bytes" });
    assert.throws(() => DerReader.within(bytes("300000"), TAG.sequence), {
      code: "der-trailing-bytes",
    });
  });
});

describe("types", () => {
  const read: Readonly<Record<string, (reader: DerReader) => unknown>> = {
    boolean: (reader) => reader.readBoolean(),
    integer: (reader) => Buffer.from(reader.readInteger()).toString("hex"),
    "bit string": (reader) => Buffer.from(reader.readOctetAlignedBitString()).toString("hex"),
    null: (reader) => reader.readNull(),
    oid: (reader) => reader.readOid(),
  };
  const accepted: readonly (readonly [string, string, unknown])[] = [
    ["boolean", "010100", false],
    ["boolean", "0101ff", true],
    ["integer", "020100", "00"],
    ["integer", "0201ff", "ff"],
    ["integer", "02020080", "0080"],
    ["integer", "0202ff7f", "ff7f"],
    ["bit string", "030100", ""],
    ["bit string", "030200aa", "aa"],
    ["null", "0500", undefined],
    ["oid", "060100", "0.0"],
    ["oid", "060127", "0.39"],
    ["oid", "060128", "1.0"],
    ["oid", "06014f", "1.39"],
    ["oid", "060150", "2.0"],
    ["oid", "0603883703", "2.999.3"],
    ["oid", "06082a8648ce3d030107", "1.2.840.10045.3.1.7"],
  ];
  for (const [type, hex, value] of accepted) {
    it(`reads the ${type} ${hex}`, () => {
      const reader = over(hex);
      assert.equal(read[type]?.(reader), value);
      reader.expectEnd();
    });
  }

  const rejected: readonly (readonly [string, string, DerErrorCode])[] = [
    ["boolean", "0100", "der-boolean-invalid"],
    ["boolean", "010101", "der-boolean-invalid"],
    ["boolean", "0102ffff", "der-boolean-invalid"],
    ["integer", "0200", "der-integer-invalid"],
    ["integer", "0202007f", "der-integer-invalid"],
    ["integer", "02020000", "der-integer-invalid"],
    ["integer", "0202ff80", "der-integer-invalid"],
    ["integer", "0202ffff", "der-integer-invalid"],
    ["bit string", "0300", "der-bit-string-invalid"],
    ["bit string", "030201ab", "der-bit-string-invalid"],
    ["bit string", "030101", "der-bit-string-invalid"],
    ["bit string", "03020800", "der-bit-string-invalid"],
    ["bit string", "030108", "der-bit-string-invalid"],
    ["null", "050100", "der-null-invalid"],
    ["oid", "0600", "der-oid-invalid"],
    ["oid", "060180", "der-oid-invalid"],
    ["oid", "060186", "der-oid-invalid"],
    ["oid", "06032a8001", "der-oid-invalid"],
    ["oid", "060a2affffffffffffffffff", "der-oid-invalid"],
    ["oid", `06092affffffffffffff7f`, "der-oid-invalid"],
    ["oid", `0641${"2a".repeat(65)}`, "der-oid-invalid"],
  ];
  for (const [type, hex, code] of rejected) {
    it(`rejects the ${type} ${hex.slice(0, 30)}`, () => {
      assert.throws(() => read[type]?.(over(hex)), { name: "DerError", code });
      assert.throws(() => over(hex).skip(), { name: "DerError", code });
    });
  }
});

describe("a bit string of odd length", () => {
  it("is skipped, and rejected where octets are wanted", () => {
    over("03020780").skip();
    assert.throws(() => over("03020780").readOctetAlignedBitString(), {
      name: "DerError",
      code: "der-bit-string-invalid",
    });
  });
});

describe("any bytes at all", () => {
  it("are skipped to their end or rejected with a DerError", () => {
    const likely = fc
      .array(fc.constantFrom(0x30, 0x31, 0x02, 0x04, 0xa0, 0x80, 0x81, 0x82, 0, 1, 2, 3, 4, 5, 6))
      .map((octets) => Uint8Array.from(octets));
    fc.assert(
      fc.property(fc.oneof(likely, fc.uint8Array({ maxLength: 64 })), (input) => {
        const reader = DerReader.over(input);
        try {
          reader.skipAll();
          assert.ok(reader.atEnd);
          assert.deepEqual(reader.since(0), input);
        } catch (error) {
          assert.ok(error instanceof DerError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

/** SEQUENCEs in one another, written from the inside out. */
function nested(levels: number): Uint8Array {
  const headers: Buffer[] = [];
  let length = 0;
  for (let level = 0; level < levels; level++) {
    const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
    const header = Buffer.from([0x30, ...(length < 0x80 ? [length] : long)]);
    headers.push(header);
    length += header.length;
  }
  return Uint8Array.from(Buffer.concat(headers.toReversed()));
}

function errorCode(read: () => void): DerErrorCode | undefined {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof DerError);
    return error.code;
  }
  return undefined;
}
