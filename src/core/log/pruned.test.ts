import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { encodePruned, parsePruned } from "./pruned.ts";

describe("the detail of a pruned event", () => {
  it("is read back for every range", () => {
    const ranges = fc
      .tuple(fc.maxSafeNat(), fc.maxSafeNat())
      .filter(([a, b]) => a !== b)
      .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
    fc.assert(
      fc.property(ranges, (range) => assert.deepEqual(parsePruned(encodePruned(range)), range)),
    );
  });

  const refused: readonly string[] = [
    "",
    "{}",
    '{"start":0,"end":0}',
    '{"start":256,"end":0}',
    '{"start":00,"end":256}',
    '{"start":0,"end":256} ',
    '{"end":256,"start":0}',
    '{"start":-1,"end":256}',
    '{"start":0,"end":9007199254740992}',
    '{"start":0,"end":256,"more":1}',
  ];
  for (const detail of refused) {
    it(`is not ${JSON.stringify(detail)}`, () => {
      assert.equal(parsePruned(detail), undefined);
    });
  }
});
