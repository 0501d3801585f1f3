import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeldLeaf } from "../../../core/roll/evidence.ts";
import { HeldLeaves } from "./held-leaves.ts";

const leaf = (serialHex: string, notAfterMs = 1_000): HeldLeaf => ({ serialHex, notAfterMs });
const report = (held: readonly HeldLeaf[], dropped: readonly string[] = [], full = false) => ({
  full,
  held,
  dropped,
});
/** A serial begins with its owner in this log, and ends with "new" where it hangs on that root. */
const find = (serialHex: string) => {
  const [owner = ""] = serialHex;
  return owner === "x"
    ? undefined
    : {
        identity: `spiffe://td/${owner}`,
        owner,
        root: serialHex.endsWith("new") ? "new" : "old",
      };
};

function toRenew(
  held: HeldLeaves,
  nowMs = 0,
  speaksFor = (identity: string) => identity !== "",
): readonly string[] {
  held.lookUp(find, 10_000);
  return held.toRenew("new", speaksFor, nowMs).map(({ serialHex }) => serialHex);
}

test("keeps what it is told, until it is told that it is gone", () => {
  const held = new HeldLeaves(false);
  held.take(report([leaf("a1"), leaf("b1")], [], true), 0);
  held.take(report([leaf("c1")], ["a1", "f1"]), 0);
  assert.deepEqual(toRenew(held), ["b1", "c1"]);
  held.take(report([leaf("d1")], [], true), 0);
  assert.deepEqual(toRenew(held), ["d1"]);
});

for (const [who, isNodeAgent, max] of [
  ["a sidecar's agent", false, 64],
  ["a node agent", true, 8_192],
] as const) {
  test(`keeps ${max} of ${who}, and forgets expired ones for others`, () => {
    const held = new HeldLeaves(isNodeAgent);
    const all = Array.from({ length: max + 1 }, (_, index) => leaf(`a${index}`, 1_000 + index));
    held.take(report(all), 0);
    assert.equal(held.size, max);
    held.take(report([leaf("b1", 9_000)]), 1_000);
    assert.equal(held.size, max);
    held.take(report([leaf("c1", 9_000)]), 1_000);
    assert.deepEqual(toRenew(held, 8_999).at(-1), "b1");
  });
}

test("takes no leaf that has expired", () => {
  const held = new HeldLeaves(false);
  held.take(report([leaf("a1", 1_000), leaf("b1", 1_001)]), 1_000);
  assert.deepEqual(toRenew(held, 1_000), ["b1"]);
});

test("renews of each workload the certificate that ends last, and none that is new", () => {
  const held = new HeldLeaves(true);
  held.take(
    report([leaf("a1", 1_000), leaf("a2", 2_000), leaf("b1", 1_000), leaf("b2new", 2_000)]),
    0,
  );
  assert.deepEqual(toRenew(held), ["a2"]);
  held.take(report([leaf("a3new", 3_000)]), 0);
  assert.deepEqual(toRenew(held), []);
});

test("renews nothing that the log does not know, and for nobody that its agent does not speak for", () => {
  const held = new HeldLeaves(true);
  held.take(report([leaf("x1"), leaf("a1"), leaf("b1")]), 0);
  assert.deepEqual(
    toRenew(held, 0, (identity) => identity === "spiffe://td/b"),
    ["b1"],
  );
  assert.equal(held.size, 2);
});

test("looks up no more at a time than it may, and each once", () => {
  const held = new HeldLeaves(true);
  held.take(report([leaf("a1"), leaf("b1"), leaf("c1")]), 0);
  assert.deepEqual([held.lookUp(find, 2), held.lookUp(find, 2), held.lookUp(find, 2)], [2, 1, 0]);
});
