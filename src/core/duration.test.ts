import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { formatGoDuration, parseDuration } from "./duration.ts";
import { PortcullisError } from "./error.ts";

const centurySeconds = 100 * 365 * 86_400;

describe("parseDuration", () => {
  it("reads what operators write", () => {
    const table: readonly (readonly [string, number])[] = [
      ["0s", 0],
      ["45s", 45],
      ["24h", 86_400],
      ["1h30m", 5_400],
      ["90d", 7_776_000],
      ["1d2h3m4s", 93_784],
      ["36500d", centurySeconds],
    ];
    for (const [text, seconds] of table) assert.equal(parseDuration(text), seconds, text);
  });

  it("refuses everything else by one code", () => {
    const wrong = ["", "1", "h", "1.5h", "-1h", "+1h", "1h ", " 1h", "1 h", "1H", "1w", "1ms"];
    const tooLong = ["36501d", "3153600001s", "99999999999s", "9999999999d9999999999d"];
    for (const text of [...wrong, ...tooLong, "1h,2m", "1h\n", "0x1h", "\u0661h"]) {
      assert.throws(
        () => parseDuration(text),
        (error) => error instanceof PortcullisError && error.code === "duration-invalid",
        JSON.stringify(text),
      );
    }
  });

  it("shows no more than the start of what it refuses", () => {
    assert.throws(
      () => parseDuration("x".repeat(10_000)),
      (error) => error instanceof Error && error.message.length < 100,
    );
  });

  it("reads back what Go prints", () => {
    fc.assert(
      fc.property(fc.nat({ max: centurySeconds }), (seconds) => {
        assert.equal(parseDuration(formatGoDuration(seconds)), seconds);
      }),
    );
  });
});

describe("formatGoDuration", () => {
  it("prints as Go's time.Duration does", () => {
    const table: readonly (readonly [number | bigint, string])[] = [
      [0, "0s"],
      [59, "59s"],
      [60, "1m0s"],
      [3_599, "59m59s"],
      [3_600, "1h0m0s"],
      [10_800n, "3h0m0s"],
      [90_061, "25h1m1s"],
      [-1, "-1s"],
      [-3_600n, "-1h0m0s"],
      [2n ** 63n - 1n, "2562047788015215h30m7s"],
      [-(2n ** 63n), "-2562047788015215h30m8s"],
    ];
    for (const [seconds, text] of table) assert.equal(formatGoDuration(seconds), text);
  });
});
