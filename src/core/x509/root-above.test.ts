import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { issue, type IssuedNode } from "../../../test/support/chain-builder.ts";
import { rootAbove } from "./root-above.ts";

let leaked: IssuedNode;
let good: IssuedNode;
let inner: IssuedNode;
let leaf: IssuedNode;
before(async () => {
  leaked = await issue(undefined, "leaked");
  good = await issue(undefined, "good");
  inner = await issue(leaked, "inner");
  leaf = await issue(inner, "leaf", { ca: false });
});

function nameAbove(sent: readonly IssuedNode[], from: IssuedNode = leaf): string | undefined {
  const roots = [good, leaked];
  const found = rootAbove(
    from.der,
    sent.map(({ der }) => der),
    roots.map(({ der }) => der),
  );
  return roots.find(({ der }) => der === found)?.name;
}

describe("a certificate hangs on the root", () => {
  it("that has signed it, or what came with it, in any order", async () => {
    const outer = await issue(good, "outer");
    const middle = await issue(outer, "middle");
    const deep = await issue(middle, "deep", { ca: false });
    assert.equal(nameAbove([], await issue(good, "direct", { ca: false })), "good");
    assert.equal(nameAbove([inner]), "leaked");
    assert.equal(nameAbove([outer, middle], deep), "good");
    assert.equal(nameAbove([middle, outer], deep), "good");
  });

  it("and on no other that is sent, or whose name and issuers are said", async () => {
    const namesake = await issue(undefined, "good");
    const renamed = await issue(namesake, "inner", { keys: inner.keys });
    const ofLeaf = await issue(good, "inner", { ca: false });
    assert.equal(nameAbove([inner, good]), "leaked");
    assert.equal(nameAbove([renamed, inner, namesake, good]), "leaked");
    assert.equal(nameAbove([ofLeaf, inner]), "leaked");
    assert.equal(nameAbove([renamed, namesake]), undefined);
  });

  it("only if what is between is a CA's", async () => {
    const workload = await issue(good, "workload", { ca: false });
    const forged = await issue(workload, "victim", { ca: false });
    assert.equal(nameAbove([workload, good], forged), undefined);
  });
});

it("nothing is looked for in more certificates than anybody needs", () => {
  const copies = Array.from({ length: 8 }, () => good);
  assert.equal(nameAbove([...copies.slice(1), inner]), "leaked");
  assert.equal(nameAbove([...copies, inner]), undefined);
});
