import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import { hex, naiveRoot, numberedLeaves, treeOf } from "../../../test/support/log-tree.ts";
import {
  encodeEntryBundle,
  foldHashes,
  parseTilePath,
  tilePath,
  tileSpan,
  tileWidth,
  TILE_WIDTH,
  type TileName,
} from "./tile.ts";

const hashBytes = 32;

describe("tilePath", () => {
  const cases: readonly (readonly [path: string, name: TileName])[] = [
    ["tile/0/000", { kind: "hashes", level: 0, index: 0, width: 256 }],
    ["tile/0/000.p/1", { kind: "hashes", level: 0, index: 0, width: 1 }],
    ["tile/1/999.p/255", { kind: "hashes", level: 1, index: 999, width: 255 }],
    ["tile/63/x001/000", { kind: "hashes", level: 63, index: 1_000, width: 256 }],
    ["tile/0/x001/x234/067", { kind: "hashes", level: 0, index: 1_234_067, width: 256 }],
    ["tile/entries/x001/x234/067.p/5", { kind: "entries", level: 0, index: 1_234_067, width: 5 }],
    [
      "tile/2/x009/x007/x199/x254/x740/991",
      { kind: "hashes", level: 2, index: Number.MAX_SAFE_INTEGER, width: 256 },
    ],
  ];
  for (const [path, name] of cases) {
    it(`names ${path}, and is read back`, () => {
      assert.equal(tilePath(name), path);
      assert.deepEqual(parseTilePath(path), name);
    });
  }

  it("is read back for every tile", () => {
    const names: fc.Arbitrary<TileName> = fc.record(
      {
        kind: fc.constant("hashes"),
        level: fc.nat({ max: 63 }),
        index: fc.maxSafeNat(),
        width: fc.integer({ min: 1, max: 256 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(names, (name) => {
        assert.deepEqual(parseTilePath(tilePath(name)), name);
      }),
    );
  });
});

describe("parseTilePath", () => {
  const refused: readonly string[] = [
    "",
    "tile/0/0",
    "tile/0/00",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/0/001/000",
    "tile/0/x001",
    "tile/0/x001/x000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/data/000",
    "tile/Entries/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/",
    "tile/0/000.p",
    "/tile/0/000",
    "tile/0/000/",
    "tile/0/000\n",
    "tile/0/../000",
    "tile/0/x009/x007/x199/x254/x740/992",
    "tile/0/x001/x009/x007/x199/x254/x740/991",
    "tile/0/٠٠٠",
    "x".repeat(100_000),
  ];
  for (const path of refused) {
    it(`refuses ${JSON.stringify(path.slice(0, 50))}`, () => {
      assert.throws(() => parseTilePath(path), { code: "log-tile-path-invalid" });
    });
  }
});

describe("tileWidth", () => {
  it("is that of the specification's example, a tree of 70,000", () => {
    const widths = [
      [0, 0],
      [0, 272],
      [0, 273],
      [0, 274],
      [1, 0],
      [1, 1],
      [1, 2],
      [2, 0],
      [3, 0],
    ].map(([level = 0, index = 0]) => tileWidth(level, index, 70_000));
    assert.deepEqual(widths, [256, 256, 112, 0, 256, 17, 0, 1, 0]);
  });

  it("of a tree of 256 is a full tile and one of a single hash above it", () => {
    assert.deepEqual([tileWidth(0, 0, 256), tileWidth(1, 0, 256)], [256, 1]);
  });
});

describe("tileSpan", () => {
  const leaves = numberedLeaves(TILE_WIDTH * 3);
  const read = treeOf(leaves);

  /** As a store has it: hashes one after the other. */
  function tile(level: number, index: number): Uint8Array {
    const width = tileWidth(level, index, leaves.length);
    const hashes = Array.from({ length: width }, (_, at) => {
      const span = TILE_WIDTH ** level;
      const first = (index * TILE_WIDTH + at) * span;
      return naiveRoot(leaves.slice(first, first + span));
    });
    return Buffer.concat(hashes);
  }

  it("finds every node of a tree in its tiles", () => {
    for (let level = 0; 2 ** level <= leaves.length; level++) {
      for (let index = 0; (index + 1) * 2 ** level <= leaves.length; index++) {
        const span = tileSpan(level, index);
        const start = span.start * hashBytes;
        const hashes = tile(span.level, span.index).subarray(start, start + span.count * hashBytes);
        assert.deepEqual(Buffer.from(foldHashes(hashes)), Buffer.from(read(level, index)));
      }
    }
  });

  it("refuses to fold what is no power of two", () => {
    for (const hashes of [0, 3, 255, 0.5]) {
      assert.throws(() => foldHashes(new Uint8Array(hashes * hashBytes)), {
        code: "log-tree-invalid",
      });
    }
  });
});

describe("encodeEntryBundle", () => {
  it("puts a length of two octets before each entry", () => {
    const entries = [Uint8Array.of(1, 2), new Uint8Array(0), new Uint8Array(0x1ff).fill(7)];
    const expected = ["0002", "0102", "0000", "01ff", "07".repeat(0x1ff)].join("");
    assert.equal(hex(encodeEntryBundle(entries)), expected);
  });
});
