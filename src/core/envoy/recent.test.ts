import assert from "node:assert/strict";
import { test } from "node:test";
import { Recent } from "./recent.ts";

test("makes it once for each text, and again of what was not wanted for long", () => {
  const made: string[] = [];
  const recent = new Recent<string>(2);
  const want = (text: string): string =>
    recent.of(text, () => {
      made.push(text);
      return text.toUpperCase();
    });
  assert.deepEqual(["a", "b", "a", "c", "a"].map(want), ["A", "B", "A", "C", "A"]);
  assert.deepEqual(made, ["a", "b", "c"]);
  assert.equal(want("b"), "B");
  assert.deepEqual(made, ["a", "b", "c", "b"]);
});
