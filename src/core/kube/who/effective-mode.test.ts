import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { currentUntilMs, effectiveMode, type TokenCheck } from "./effective-mode.ts";

describe("a cache", () => {
  type Ms = number | undefined;
  const table: readonly (readonly [string, Ms, Ms, Ms, Ms])[] = [
    ["that was never filled is not current", undefined, undefined, undefined, undefined],
    [
      "that was never filled is not current because its API server lives",
      undefined,
      1,
      9_000,
      undefined,
    ],
    ["is current until its last message", 5_000, 1_000, undefined, 5_000],
    [
      "without a stream is not current because its API server lives",
      5_000,
      undefined,
      9_000,
      5_000,
    ],
    ["with a silent stream is as current as its API server lives", 5_000, 1_000, 9_000, 9_000],
    ["that heard after that is current until then", 9_500, 1_000, 9_000, 9_500],
    ["whose stream has just begun may have messages on their way", 5_000, 8_001, 9_000, 5_000],
    ["whose stream is a second old has them", 5_000, 8_000, 9_000, 9_000],
  ];
  for (const [verdict, heardMs, openedMs, aliveMs, expected] of table) {
    it(verdict, () => assert.equal(currentUntilMs({ heardMs, openedMs }, aliveMs), expected));
  }
});

describe("the check of tokens", () => {
  const table: readonly (readonly [TokenCheck, TokenCheck, number | undefined, TokenCheck])[] = [
    ["watched", "watched", 0, "watched"],
    ["watched", "watched", 10_000, "watched"],
    ["watched", "watched", 10_001, "review"],
    ["watched", "watched", NaN, "review"],
    ["watched", "watched", undefined, "review"],
    ["watched", "review", 5_001, "review"],
    ["watched", "review", 5_000, "watched"],
    ["watched", "review", undefined, "review"],
    ["review", "review", 0, "review"],
    ["review-always", "review-always", 0, "review-always"],
    ["review-always", "watched", 0, "review-always"],
    ["review", "watched", undefined, "review"],
  ];
  for (const [configured, now, staleMs, expected] of table) {
    it(`is ${expected}: set to ${configured}, now ${now}, caches ${staleMs} ms old`, () => {
      assert.equal(effectiveMode(configured, now, staleMs, 10_000), expected);
    });
  }

  it("changes once at most however staleness wanders within half the limit", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 5_001, max: 10_000 })), fc.boolean(), (all, isOn) => {
        const first: TokenCheck = isOn ? "watched" : "review";
        const modes = all.map((staleMs) => effectiveMode("watched", first, staleMs, 10_000));
        assert.ok(modes.every((mode) => mode === first));
      }),
    );
  });
});
