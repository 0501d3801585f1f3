import assert from "node:assert/strict";
import { test } from "node:test";
import { Interned } from "./interned.ts";

interface Named {
  readonly name: string;
  readonly ports: readonly number[];
}

test("gives one value for all that say the same, and another for what says something else", () => {
  const known = new Interned<Named>(JSON.stringify);
  const first: Named = { name: "api", ports: [80] };
  const second: Named = { name: "api", ports: [80, 81] };
  assert.equal(known.of(first), first);
  assert.equal(known.of({ name: "api", ports: [80] }), first);
  assert.equal(known.of(second), second);
  assert.equal(known.of(structuredClone(second)), second);
  assert.equal(known.size, 2);
});
