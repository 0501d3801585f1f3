import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTime, parseUntil } from "./until-flag.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);

describe("a time on the command line", () => {
  const times: readonly (readonly [string, boolean, number])[] = [
    ["2026-12-24T08:00:00Z", false, Date.UTC(2026, 11, 24, 8)],
    ["2026-12-24t08:00:00.5+01:00", false, Date.UTC(2026, 11, 24, 7, 0, 0, 500)],
    ["2026-12-24", true, Date.UTC(2026, 11, 24)],
    ["2026-12-24", false, Number.NaN],
    ["2026-12-24T08:00:00", true, Number.NaN],
    ["2027-02-29", true, Number.NaN],
    ["2028-02-29", true, Date.UTC(2028, 1, 29)],
    ["2026-13-01", true, Number.NaN],
    ["", true, Number.NaN],
  ];
  for (const [text, takesDates, timeMs] of times) {
    const what = Number.isNaN(timeMs) ? "is none" : "is one";
    it(`${what}: ${JSON.stringify(text)}${takesDates ? ", dates taken" : ""}`, () => {
      assert.equal(parseTime(text, takesDates), timeMs);
    });
  }
});

describe("--until", () => {
  it("is a time to come, or a span from now in whole seconds", () => {
    assert.equal(parseUntil("2026-11-30", nowMs, true), Date.UTC(2026, 10, 30));
    assert.equal(parseUntil("90d", nowMs + 1), nowMs + 90 * 86_400_000 + 1_000);
  });

  for (const text of ["2026-11-29", "2026-11-29T12:00:00Z", "0s", "soon", "2027-02-30"]) {
    it(`refuses ${text} with what to write`, () => {
      assert.throws(() => parseUntil(text, nowMs, true), {
        code: "usage-invalid-value",
        hint: "write 2026-12-31, 2026-12-31T08:00:00Z, 12h or 90d",
      });
    });
  }
});
