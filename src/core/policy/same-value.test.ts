import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { sameValue } from "./same-value.ts";

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(undefined, null, true, 0, 1, Number.NaN, "", "a"),
    fc.array(tie("value"), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom("a", "b"), tie("value"), { noNullPrototype: true }),
    fc
      .array(fc.tuple(fc.constantFrom("a", 1), tie("value")), { maxLength: 2 })
      .map((of) => new Map(of)),
  ),
})).value;

test("says what assert.deepEqual says, but for the order of a map, which counts", () => {
  fc.assert(
    fc.property(value, value, (a, b) => {
      assert.equal(sameValue(a, structuredClone(a)), true);
      if (sameValue(a, b)) assert.deepEqual(a, b);
      else assert.throws(() => assert.deepEqual(ordered(a), ordered(b)));
    }),
    { numRuns: 2_000 },
  );
});

/** Maps as lists of their entries. */
function ordered(of: unknown): unknown {
  if (Array.isArray(of)) return of.map(ordered);
  if (of instanceof Map) return { entries: [...of].map(ordered) };
  if (typeof of !== "object" || of === null) return of;
  return Object.fromEntries(Object.entries(of).map(([name, each]) => [name, ordered(each)]));
}
