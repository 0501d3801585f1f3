/** Planted bugs apply to the code as it is: one that does not has lost its gate, and is to be written anew. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { mutations } from "../../sim/mutation/mutations.ts";
import { mutated } from "../../sim/mutation/patch.ts";

const root = join(import.meta.dirname, "..", "..");

describe("planted bugs", () => {
  it("are 20 at least, each with a name of its own", () => {
    assert.ok(mutations.length >= 20);
    assert.equal(new Set(mutations.map(({ name }) => name)).size, mutations.length);
  });

  for (const mutation of mutations) {
    it(`apply: ${mutation.name}`, () => {
      const text = readFileSync(join(root, mutation.file), "utf8");
      assert.notEqual(mutated(mutation, text), text);
    });
  }

  it("are refused where their text is not there, or twice", () => {
    const mutation = { name: "", file: "a.ts", before: "b", after: "c" };
    assert.throws(() => mutated(mutation, "a"), /never/);
    assert.throws(() => mutated(mutation, "abab"), /2 times/);
    assert.equal(mutated(mutation, "aba"), "aca");
  });
});
