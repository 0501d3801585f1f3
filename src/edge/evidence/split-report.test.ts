import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { coverageOf, seenOf } from "../../../test/support/evidence.ts";
import { isToldBefore, splitAt, type ToldOf } from "./split-report.ts";

const at = 50;
const times = fc.tuple(fc.nat(100), fc.nat(20));
const reported: fc.Arbitrary<ToldOf> = fc.record({
  seen: fc.array(
    times.map(([from, more]) => ({ ...seenOf(from), lastMs: from + more })),
    { maxLength: 5 },
  ),
  coverage: fc.array(
    times.map(([from, more]) => coverageOf(from, from + more)),
    { maxLength: 5 },
  ),
});

it("a report that is parted tells of each moment what it told, on its side of the time", () => {
  fc.assert(
    fc.property(reported, (told) => {
      const { before, after } = splitAt(told, at);
      assert.equal(isToldBefore(told, at), before.seen.length + before.coverage.length > 0);
      assert.equal(isToldBefore({ seen: [], coverage: after.coverage }, at), false);
      assert.ok(before.coverage.every(({ untilMs }) => untilMs <= at));
      for (let moment = 0; moment <= 120; moment++) {
        const side = moment < at ? before : after;
        const isCovered = ({ coverage }: ToldOf) =>
          coverage.some(({ sinceMs, untilMs }) => sinceMs <= moment && moment <= untilMs);
        // One that ends there begins nothing.
        if (moment !== at) assert.equal(isCovered(side), isCovered(told), `${moment}`);
        const mayBe = ({ seen }: ToldOf) =>
          seen.some(({ firstMs, lastMs }) => firstMs <= moment && moment <= lastMs);
        assert.equal(mayBe(side), mayBe(told), `${moment}`);
      }
    }),
  );
});
