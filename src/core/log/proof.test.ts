import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  ctLeaves,
  ctRoots,
  naiveConsistency,
  naiveInclusion,
  naiveRoot,
  numberedLeaves,
  treeOf,
} from "../../../test/support/log-tree.ts";
import { emptyRoot, leafHash } from "./merkle.ts";
import {
  verifyConsistency,
  verifyInclusion,
  type ConsistencyClaim,
  type InclusionClaim,
} from "./proof-check.ts";
import { consistencyProof, inclusionProof } from "./proof.ts";

const SIZE_MAX = 130;
const leaves = numberedLeaves(SIZE_MAX);
const roots = Array.from({ length: SIZE_MAX + 1 }, (_, size) => naiveRoot(leaves.slice(0, size)));
const read = treeOf(leaves);
const rootAt = (size: number): Uint8Array => roots[size] ?? emptyRoot;
const leafAt = (index: number): Uint8Array => leaves[index] ?? emptyRoot;

const invalid = { name: "LogError", code: "log-proof-invalid" };
const noTree = { name: "LogError", code: "log-tree-invalid" };

function inclusionOf(index: number, size: number): InclusionClaim {
  const proof = inclusionProof(index, size, read);
  return { index, size, leaf: leafAt(index), root: rootAt(size), proof };
}

function consistencyOf(oldSize: number, newSize: number): ConsistencyClaim {
  const proof = consistencyProof(oldSize, newSize, read);
  return { oldSize, newSize, oldRoot: rootAt(oldSize), newRoot: rootAt(newSize), proof };
}

/** One hash damaged, one left out, one twice, two swapped. */
function damaged(proof: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const atEach = proof.flatMap((hash, at) => [
    proof.with(at, hash.with(0, (hash[0] ?? 0) ^ 1)),
    proof.toSpliced(at, 1),
    proof.toSpliced(at, 0, hash),
    proof.with(at, hash.subarray(1)),
    proof.with(at, Buffer.concat([hash, hash])),
  ]);
  return [...atEach, [...proof, emptyRoot], [emptyRoot, ...proof]];
}

describe("inclusion proofs", () => {
  it("are those of RFC 6962 and verify, for every entry of every tree of up to 130", () => {
    for (let size = 1; size <= SIZE_MAX; size++) {
      for (let index = 0; index < size; index++) {
        const claim = inclusionOf(index, size);
        assert.deepEqual(claim.proof, naiveInclusion(index, leaves.slice(0, size)));
        verifyInclusion(claim);
      }
    }
  });

  it("prove nothing when damaged, or for another entry, in trees of up to 20", () => {
    for (let size = 1; size <= 20; size++) {
      for (let index = 0; index < size; index++) {
        const claim = inclusionOf(index, size);
        const others = [...leaves.keys()].slice(0, size).filter((other) => other !== index);
        const wrong: readonly InclusionClaim[] = [
          ...damaged(claim.proof).map((proof) => ({ ...claim, proof })),
          ...others.map((other) => ({ ...claim, index: other })),
          ...others.map((other) => ({ ...claim, leaf: leafAt(other) })),
          { ...claim, root: rootAt(size - 1) },
          { ...claim, index: size },
          { ...claim, index: -1 },
          { ...claim, size: 0 },
          { ...claim, size: Number.NaN },
        ];
        for (const each of wrong) assert.throws(() => verifyInclusion(each), invalid);
      }
    }
  });

  it("are not made of what is not in the tree", () => {
    for (const [index, size] of [
      [0, 0],
      [5, 5],
      [-1, 5],
      [0.5, 5],
    ] as const) {
      assert.throws(() => inclusionProof(index, size, read), noTree);
    }
  });
});

describe("consistency proofs", () => {
  it("are those of RFC 6962 and verify, between all trees of up to 130", () => {
    for (let newSize = 0; newSize <= SIZE_MAX; newSize++) {
      for (let oldSize = 0; oldSize <= newSize; oldSize++) {
        const claim = consistencyOf(oldSize, newSize);
        assert.deepEqual(claim.proof, naiveConsistency(oldSize, leaves.slice(0, newSize)));
        verifyConsistency(claim);
      }
    }
  });

  it("prove nothing when damaged, or between other trees, up to 20", () => {
    for (let newSize = 1; newSize <= 20; newSize++) {
      for (let oldSize = 0; oldSize <= newSize; oldSize++) {
        const claim = consistencyOf(oldSize, newSize);
        const wrong: readonly ConsistencyClaim[] = [
          ...damaged(claim.proof).map((proof) => ({ ...claim, proof })),
          { ...claim, oldRoot: rootAt(oldSize + 1) },
          { ...claim, oldSize: newSize + 1 },
          { ...claim, oldSize: -1 },
          ...(oldSize === 0 ? [] : [{ ...claim, newRoot: rootAt(newSize + 1) }]),
        ];
        for (const each of wrong) assert.throws(() => verifyConsistency(each), invalid);
      }
    }
  });

  it("are not made of a tree that is larger than the new one", () => {
    assert.throws(() => consistencyProof(6, 5, read), noTree);
  });
});

describe("the reference tree of Certificate Transparency", () => {
  const ct = ctLeaves.map(leafHash);
  const ctRoot = (size: number): Uint8Array => Buffer.from(ctRoots[size] ?? "", "hex");
  const hashes = (hex: readonly string[]): Uint8Array[] =>
    hex.map((each) => Buffer.from(each, "hex"));

  const inclusions: readonly (readonly [index: number, size: number, proof: readonly string[]])[] =
    [
      [0, 1, []],
      [
        0,
        8,
        [
          "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
      ],
      [
        5,
        8,
        [
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
      ],
    ];
  for (const [index, size, proof] of inclusions) {
    it(`proves entry ${index} of ${size} as it is known to`, () => {
      assert.deepEqual(inclusionProof(index, size, treeOf(ct)), hashes(proof));
      const leaf = ct[index] ?? emptyRoot;
      verifyInclusion({ index, size, leaf, root: ctRoot(size), proof: hashes(proof) });
    });
  }

  const growths: readonly (readonly [from: number, to: number, proof: readonly string[]])[] = [
    [1, 1, []],
    [
      1,
      8,
      [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
      ],
    ],
    [
      6,
      8,
      [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      ],
    ],
    [
      2,
      5,
      [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      ],
    ],
  ];
  for (const [oldSize, newSize, proof] of growths) {
    it(`proves that ${oldSize} come before ${newSize} as it is known to`, () => {
      assert.deepEqual(consistencyProof(oldSize, newSize, treeOf(ct)), hashes(proof));
      const [oldRoot, newRoot] = [ctRoot(oldSize), ctRoot(newSize)];
      verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof: hashes(proof) });
    });
  }
});
