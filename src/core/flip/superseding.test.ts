/** An object that is not there at one look may be there again at the next. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { allOpen, failedOf, firstStage, flipOf, viewOf } from "../../../test/support/flips.ts";
import { nextFlip } from "./flip-machine.ts";
import type { FlipView } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";

describe("an object that is missing", () => {
  const gone = (object: "before" | "other", absentSinceMs = 50_000): FlipView =>
    viewOf({ object, absentSinceMs });

  for (const object of ["before", "other"] as const) {
    test(`is waited for, and ends the flip after 30 s (${object})`, () => {
      for (const flip of [firstStage(), allOpen()]) {
        assert.equal(nextFlip(flip, gone(object), 79_999), undefined);
        const [wait] = waitsFor(flip, gone(object), 79_999);
        assert.deepEqual([wait?.kind, wait?.name], ["object", "shop/api"]);
        assert.match(wait?.detail ?? "", /is not there: if it is not back by 1970-01-01T00:01:20Z/);
        const { state } = nextFlip(flip, gone(object), 80_000) ?? flip;
        assert.equal(state.kind, "superseded");
        assert.match("why" in state ? state.why : "", /is gone/);
      }
    });
  }

  test("goes on when it is back, with whom it holds back", () => {
    const flip = firstStage();
    assert.equal(nextFlip(flip, gone("other"), 79_000), undefined);
    assert.equal(nextFlip(flip, viewOf(), 79_500)?.opened.length, 2);
  });

  test("ends no watch as done while it is missed", () => {
    const [wait, ...more] = waitsFor(allOpen(), gone("other", 615_000), 620_000);
    assert.deepEqual([wait?.kind, more], ["object", []]);
    assert.equal(nextFlip(allOpen(), gone("other", 615_000), 620_000), undefined);
  });

  test("is nothing to a flip whose target is strict all the same, or that makes it itself", () => {
    assert.equal(nextFlip(firstStage(), viewOf({ absentSinceMs: 1 }), 90_000)?.opened.length, 2);
    assert.equal(nextFlip(flipOf(), gone("before", 1), 90_000), undefined);
  });

  test("keeps nobody from taking the flip back", () => {
    const refused = [failedOf("shop/web")];
    const view = { ...gone("other"), refused };
    assert.equal(nextFlip(firstStage(), view, 60_000)?.state.kind, "reverting");
  });
});
