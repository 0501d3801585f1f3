import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  ctLeaves,
  ctRoots,
  hex,
  naiveRoot,
  numberedLeaves,
  treeOf,
} from "../../../test/support/log-tree.ts";
import { LogError } from "./log-error.ts";
import { emptyRoot, Frontier, leafHash } from "./merkle.ts";

describe("Frontier", () => {
  it("has the roots of Certificate Transparency's reference tree", () => {
    const frontier = Frontier.of(0, []);
    const roots = ctLeaves.map((data) => {
      frontier.append(leafHash(data));
      return hex(frontier.root());
    });
    assert.deepEqual([hex(emptyRoot), ...roots], ctRoots);
  });

  it("has the root of RFC 6962 at every size up to 300, however it was come by", () => {
    const leaves = numberedLeaves(300);
    const read = treeOf(leaves);
    const frontier = Frontier.of(0, []);
    for (let size = 0; size <= leaves.length; size++) {
      const root = naiveRoot(leaves.slice(0, size));
      assert.deepEqual(frontier.root(), root);
      assert.deepEqual(Frontier.read(size, read).root(), root);
      assert.deepEqual(Frontier.of(size, frontier.hashes).root(), root);
      frontier.append(leaves[size] ?? emptyRoot);
    }
  });

  it("counts beyond 32 bits", () => {
    const subtree = new Uint8Array(32).fill(1);
    const frontier = Frontier.of(2 ** 40, [subtree]);
    frontier.append(subtree);
    frontier.append(subtree);
    assert.equal(frontier.size, 2 ** 40 + 2);
    assert.equal(frontier.hashes.length, 2);
  });

  const hash = new Uint8Array(32);
  const refused: readonly (readonly [what: string, size: number, hashes: readonly Uint8Array[]])[] =
    [
      ["a hash too few", 3, [hash]],
      ["a hash too many", 4, [hash, hash]],
      ["a hash of 31 octets", 1, [new Uint8Array(31)]],
      ["a size below 0", -1, []],
      ["a fraction of an entry", 1.5, [hash]],
      ["a size beyond 2^53", 2 ** 53, [hash]],
    ];
  for (const [what, size, hashes] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => Frontier.of(size, hashes), {
        name: LogError.name,
        code: "log-tree-invalid",
      });
    });
  }
});
