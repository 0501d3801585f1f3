import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError, type KubeErrorCode } from "../../../../edge/kube/kube-error.ts";
import { LeftNamespaces } from "./left-namespaces.ts";

const error = (code: KubeErrorCode): KubeError => new KubeError(code, `${code} no`);
const forbidden = error("kube-forbidden");
const names = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `n${at}`);

const fresh = (): LeftNamespaces => new LeftNamespaces({ refused: () => {} });

describe("namespaces that were left", () => {
  it("are tried again one each 15 seconds where a right is missing, the oldest first", () => {
    const left = fresh();
    const at = names(4).map((name) => left.leave(name, undefined, forbidden, 1_000));
    assert.deepEqual(at, [16_000, 31_000, 46_000, 61_000]);
    assert.equal(left.leave("n0", undefined, forbidden, 16_000), 76_000);
    assert.equal(left.leave("n1", undefined, forbidden, 31_000), 91_000);
  });

  it("are each tried after five minutes at the latest, and one each 15 seconds for as long as that lasts", () => {
    const left = fresh();
    let due = names(100).map((name) => ({ name, atMs: left.leave(name, undefined, forbidden, 0) }));
    assert.equal(Math.max(...due.map(({ atMs }) => atMs)), 300_000);
    for (let probe = 0; probe < 500; probe++) {
      due = due.toSorted((a, b) => a.atMs - b.atMs);
      const [first] = due.splice(0, 1);
      assert.ok(first !== undefined);
      const atMs = left.leave(first.name, undefined, forbidden, first.atMs);
      due.push({ name: first.name, atMs });
      const nextMs = Math.min(...due.map((each) => each.atMs));
      assert.ok(nextMs - first.atMs <= 15_000 && atMs - first.atMs <= 300_000);
    }
  });

  it("are tried all at once when a right has come back for one of them, and not those that are refused for what they are", () => {
    const left = fresh();
    for (const name of names(3)) left.leave(name, undefined, forbidden, 0);
    left.leave("immutable", "u1", error("kube-invalid"), 0);
    assert.deepEqual(left.allowed("never left"), []);
    assert.deepEqual(left.allowed("n0"), ["n1", "n2"]);
    assert.deepEqual(
      ["n0", "n1", "n2", "immutable"].map((name) =>
        left.waitMs(name, name === "immutable" ? "u1" : undefined, 0),
      ),
      [0, 0, 0, 300_000],
    );
    assert.deepEqual(left.allowed("immutable"), []);
    // From the beginning: what was planned for those before is over.
    assert.equal(left.leave("n1", undefined, forbidden, 20_000), 35_000);
  });

  it("say why, and in how long they are tried again", () => {
    const left = fresh();
    left.leave("n0", undefined, forbidden, 0);
    left.leave("n1", "u1", error("kube-invalid"), 0);
    assert.deepEqual(left.some(5_000), [
      { namespace: "n0", reason: "kube-forbidden no", retryMs: 10_000 },
      { namespace: "n1", reason: "kube-invalid no", retryMs: 295_000 },
    ]);
    assert.deepEqual(left.find("n1", 600_000), { reason: "kube-invalid no", retryMs: 0 });
    assert.equal(left.find("n2", 0), undefined);
  });
});
