import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import { hex } from "../../../test/support/log-tree.ts";
import { SerialTable } from "./serial-table.ts";

describe("SerialTable", () => {
  it("knows what a Map of strings knows", () => {
    const serials = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 });
    fc.assert(
      fc.property(fc.array(serials, { maxLength: 60 }), (list) => {
        const table = new SerialTable();
        const map = new Map<string, number>();
        for (const [index, serial] of list.entries()) {
          assert.equal(table.add(serial, index), !map.has(hex(serial)));
          if (!map.has(hex(serial))) map.set(hex(serial), index);
          assert.equal(table.intentIndex(table.find(serial)), map.get(hex(serial)));
        }
        assert.deepEqual(table.openIndices(), [...map.values()]);
      }),
    );
  });

  it("finds nothing that was not put in, and closes once", () => {
    const table = new SerialTable();
    assert.equal(table.find(Uint8Array.of(1)), -1);
    table.add(Uint8Array.of(1), 2 ** 48 - 1);
    assert.equal(table.find(Uint8Array.of(1, 0)), -1);
    const record = table.find(Uint8Array.of(1));
    assert.equal(table.intentIndex(record), 2 ** 48 - 1);
    assert.deepEqual([table.close(record), table.close(record)], [true, false]);
    assert.deepEqual(table.openIndices(), []);
  });

  it("tells a serial from the same with a zero more, wherever they fall", () => {
    for (let each = 0x100; each <= 0xffff; each++) {
      const longer = Uint8Array.of(each >>> 8, each & 0xff, 0);
      const table = new SerialTable();
      table.add(longer, 0);
      assert.equal(table.find(longer.subarray(0, 2)), -1);
    }
  });

  it("holds 1,000,000 serials in 64 MiB, and finds each", () => {
    const count = 1_000_000;
    const serial = Buffer.alloc(20, 1);
    const number = (each: number): Uint8Array => {
      serial.writeUInt32BE(each, 16);
      return serial;
    };
    const before = memory();
    const table = new SerialTable();
    for (let each = 0; each < count; each++) table.add(number(each), each);
    const used = memory() - before;
    assert.ok(used <= 64 * 2 ** 20, `${used}`);
    for (let each = 0; each < count; each += 997) {
      assert.equal(table.intentIndex(table.find(number(each))), each);
    }
    assert.equal(table.find(number(count)), -1);
  });
});

/** Typed arrays, those in the heap too. */
function memory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
