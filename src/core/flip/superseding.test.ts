/** An object that is not there at one look may be there again at the next. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  allOpen,
  failedOf,
  firstStage,
  flipOf,
  settleFlip,
  viewOf,
} from "../../../test/support/flips.ts";
import { encodeFlip, parseFlip } from "./flip-codec.ts";
import { isRefusal } from "./flip-error.ts";
import { holdOf } from "./flip-hold.ts";
import { nextFlip, revertFlip, writtenFlip } from "./flip-machine.ts";
import type { FlipView } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";

describe("an object that others stand over, and that says STRICT still,", () => {
  const view = viewOf({ object: "overruled", overruledBy: ["shop/aaa"] });
  const cause = { kind: "superseded", objects: ["shop/aaa"] } as const;

  test("is taken back, and nobody is strict meanwhile", () => {
    for (const flip of [flipOf(), firstStage(), allOpen()]) {
      const next = nextFlip(flip, view, 60_000) ?? flip;
      assert.deepEqual(next.state, { kind: "reverting", cause, sinceMs: 60_000 });
      assert.deepEqual(holdOf(next)?.strict, new Set());
      assert.equal(nextFlip(next, view, 70_000), undefined);
      const back = nextFlip(next, viewOf({ object: "other" }), 80_000);
      assert.deepEqual(back?.state, { kind: "reverted", cause, endedMs: 80_000 });
      assert.deepEqual(parseFlip(encodeFlip(back ?? next)), back);
    }
  });

  test("is waited for where somebody else writes it, and no stage is open", () => {
    const theirs = flipOf({ edit: { ...flipOf().edit, isOurs: false } });
    assert.equal(nextFlip(theirs, view, 60_000), undefined);
    const [wait] = waitsFor(theirs, view, 60_000);
    assert.match(wait?.detail ?? "", /^says STRICT, and another stands over it: shop\/aaa/);
  });

  test("is taken back by an operator, also of a flip that has ended", () => {
    const byAda = { kind: "operator", operator: "ada", reason: "" } as const;
    const done = settleFlip(allOpen(), viewOf(), 900_000);
    const ended = { kind: "superseded", endedMs: 900_000, why: "" } as const;
    for (const flip of [firstStage(), done, { ...done, state: ended }]) {
      const order = (isStanding: boolean) =>
        revertFlip(flip, byAda, { object: "overruled", isStanding }, 950_000);
      const back = order(true);
      assert.ok(!isRefusal(back));
      assert.equal(back.state.kind, "reverting");
    }
    const gone = revertFlip(
      { ...done, state: ended },
      byAda,
      { object: "after", isStanding: false },
      950_000,
    );
    assert.ok(isRefusal(gone));
  });
});

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

describe("an object that was written before the first stage", () => {
  const untold = viewOf({ verdict: { kind: "unknown", names: [] } });
  const written = writtenFlip(flipOf(), "after") ?? flipOf();

  test("is known as written from then on, and by the record", () => {
    assert.deepEqual(written.state, { kind: "editing", isWritten: true });
    assert.deepEqual(parseFlip(encodeFlip(written)), written);
    assert.equal(nextFlip(written, untold, 31_000), undefined);
    assert.equal(writtenFlip(written, "after"), undefined);
    assert.equal(writtenFlip(flipOf(), "before"), undefined);
    assert.equal(writtenFlip(firstStage(), "after"), undefined);
  });

  test("and that somebody else changes back is that one's word", () => {
    const before = viewOf({ ...untold, object: "before" });
    assert.equal(nextFlip(flipOf(), before, 32_000), undefined, "which is yet to be written");
    const { state } = nextFlip(written, before, 32_000) ?? written;
    const why = "the object was changed back by somebody else";
    assert.deepEqual(state, { kind: "superseded", endedMs: 32_000, why });
    const missing = { ...before, absentSinceMs: 32_000 };
    assert.equal(nextFlip(written, missing, 61_999), undefined);
    assert.equal(nextFlip(written, missing, 62_000)?.state.kind, "superseded");
  });

  test("is not known as written by a flip for which somebody else writes it", () => {
    const theirs = flipOf({ edit: { ...flipOf().edit, isOurs: false } });
    assert.equal(writtenFlip(theirs, "after"), undefined);
  });
});
