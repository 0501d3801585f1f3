import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { TrustDomain } from "./id.ts";
import { trustBundle } from "./trust-bundle.ts";

const td = TrustDomain.parse("cluster.local");

describe("trustBundle", () => {
  it("sorts roots by their bytes, a prefix first, and keeps each once", () => {
    const roots = [[2], [1, 2], [1], [0xff], [2], [1]].map((bytes) => Uint8Array.from(bytes));
    const bundle = trustBundle(td, 7n, roots);
    assert.deepEqual(
      bundle.roots.map((root) => [...root]),
      [[1], [1, 2], [2], [0xff]],
    );
    assert.equal(bundle.sequence, 7n);
    assert.equal(bundle.trustDomain, td);
  });

  it("is the same for the same set of roots in any order and number", () => {
    const set = fc.uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 4 }), { minLength: 1 });
    fc.assert(
      fc.property(set, fc.infiniteStream(fc.nat()), (roots, random) => {
        const shuffled = [...roots, ...roots]
          .map((root) => ({ root, rank: random.next().value }))
          .toSorted((a, b) => a.rank - b.rank)
          .map(({ root }) => root);
        assert.deepEqual(trustBundle(td, 0n, shuffled).roots, trustBundle(td, 0n, roots).roots);
      }),
    );
  });

  it("does not change with the bytes that it was made of", () => {
    const root = Uint8Array.of(1, 2, 3);
    const bundle = trustBundle(td, 0n, [root]);
    root.fill(9);
    assert.deepEqual(bundle.roots, [Uint8Array.of(1, 2, 3)]);
    assert.ok(Object.isFrozen(bundle));
    assert.ok(Object.isFrozen(bundle.roots));
  });

  it("rejects an empty bundle", () => {
    assert.throws(() => trustBundle(td, 0n, []), {
      name: "TrustBundleError",
      code: "bundle-empty",
    });
  });

  it("rejects a negative sequence", () => {
    assert.throws(() => trustBundle(td, -1n, [Uint8Array.of(1)]), {
      name: "TrustBundleError",
      code: "bundle-sequence-negative",
    });
  });
});
