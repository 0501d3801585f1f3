import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import * as plain from "../../../test/support/der.ts";
import { parseKeyUsage } from "./certificate-extensions.ts";
import { explicit, implicit, namedBits, oid, time, tlv, unsignedInteger } from "./der-encode.ts";
import { DerReader } from "./der.ts";
import { readTime } from "./der-time.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const text = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(2)).toString("latin1");

describe("the DER encoder", () => {
  it("writes every length in its shortest form", () => {
    const edges = [0, 1, 126, 127, 128, 129, 254, 255, 256, 257, 65_534, 65_535, 65_536, 65_537];
    for (const length of edges) {
      const contents = new Uint8Array(length).fill(0x5a);
      assert.equal(hex(tlv(0x30, contents)), hex(plain.tlv(0x30, contents)), String(length));
    }
    assert.deepEqual([...tlv(0x04, new Uint8Array(65_536)).subarray(0, 5)], [4, 0x83, 1, 0, 0]);
  });

  it("joins parts as if they were one", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 90 }), { maxLength: 5 });
    fc.assert(
      fc.property(parts, (parts) => {
        assert.equal(hex(tlv(0x31, ...parts)), hex(tlv(0x31, Buffer.concat(parts))));
      }),
    );
  });

  it("writes a magnitude as the shortest non-negative INTEGER", () => {
    const vectors: readonly (readonly [string, string])[] = [
      ["", "020100"],
      ["00", "020100"],
      ["0000", "020100"],
      ["01", "020101"],
      ["7f", "02017f"],
      ["80", "02020080"],
      ["00ff", "020200ff"],
      ["0000017f", "0202017f"],
      ["ff".repeat(16), `021100${"ff".repeat(16)}`],
    ];
    for (const [magnitude, der] of vectors) {
      assert.equal(hex(unsignedInteger(Buffer.from(magnitude, "hex"))), der);
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (magnitude) => {
        const value = BigInt(`0x${hex(magnitude)}`);
        assert.equal(hex(unsignedInteger(magnitude)), hex(plain.integer(value)));
      }),
    );
  });

  it("writes each set of named bits so that the reader finds the same set", () => {
    for (let mask = 1; mask < 512; mask++) {
      const bits = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((bit) => (mask & (1 << bit)) !== 0);
      assert.equal(parseKeyUsage(namedBits(bits)), mask);
      assert.equal(parseKeyUsage(namedBits(bits.toReversed())), mask);
    }
    assert.equal(hex(namedBits([])), "030100");
  });

  it("writes object identifiers", () => {
    const vectors: readonly (readonly [string, string])[] = [
      ["2.5.29.17", "0603551d11"],
      ["1.2.840.10045.4.3.2", "06082a8648ce3d040302"],
      ["2.999.3", "0603883703"],
      ["0.0", "060100"],
      ["1.39.127.128.16383.16384", "06094f7f8100ff7f818000"],
    ];
    for (const [dotted, der] of vectors) assert.equal(hex(oid(dotted)), der, dotted);
  });

  it("writes context tags as X.690 8.14 has them", () => {
    assert.equal(hex(explicit(3, Uint8Array.of(5, 0))), "a3020500");
    assert.equal(hex(implicit(6, Uint8Array.of(0x61))), "860161");
  });
});

describe("a time", () => {
  it("is UTCTime through 2049 and GeneralizedTime after, and loses its milliseconds", () => {
    const vectors: readonly (readonly [string, number, string])[] = [
      ["2026-01-02T03:04:05.999Z", 0x17, "260102030405Z"],
      ["2049-12-31T23:59:59.999Z", 0x17, "491231235959Z"],
      ["2050-01-01T00:00:00.000Z", 0x18, "20500101000000Z"],
      ["2100-02-28T12:00:00.001Z", 0x18, "21000228120000Z"],
      ["1999-12-31T23:59:59.000Z", 0x17, "991231235959Z"],
      ["9999-12-31T23:59:59.000Z", 0x18, "99991231235959Z"],
    ];
    for (const [iso, tag, digits] of vectors) {
      const der = time(Date.parse(iso));
      assert.equal(der[0], tag, iso);
      assert.equal(text(der), digits);
    }
  });

  it("is read back as the second that it lies in", () => {
    const from = Date.UTC(1970, 0, 1);
    const to = Date.UTC(2200, 0, 1);
    fc.assert(
      fc.property(fc.integer({ min: from, max: to }), (unixMs) => {
        const reader = DerReader.over(time(unixMs));
        assert.equal(readTime(reader), Math.floor(unixMs / 1_000) * 1_000);
      }),
    );
  });
});
