import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { didYouMean, nearestMatch } from "./nearest-match.ts";

const WORDS = ["token mint", "svid fetch", "svid show", "status", "server", "dev"];

for (const [word, want] of [
  ["tokn mint", "token mint"],
  ["svid fecth", "svid fetch"],
  ["svid shwo", "svid show"],
  ["Status", "status"],
  ["sttus", "status"],
  ["serve", "server"],
  ["dve", "dev"],
  ["", undefined],
  ["x", undefined],
  ["quux", undefined],
  ["completely different", undefined],
] as const) {
  test(`takes "${word}" for ${want ?? "nothing that is known"}`, () => {
    assert.equal(nearestMatch(word, WORDS), want);
  });
}

test("finds a word in which two neighbours were swapped", () => {
  const letters = fc.string({
    unit: fc.constantFrom("a", "b", "c", "d"),
    minLength: 4,
    maxLength: 20,
  });
  fc.assert(
    fc.property(letters, fc.nat(), (word, seed) => {
      const at = seed % (word.length - 1);
      const swapped =
        word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2);
      assert.equal(nearestMatch(swapped, [word]), word);
    }),
  );
});

test("gives up on words too long to be typed", () => {
  assert.equal(nearestMatch("a".repeat(100_000), ["a".repeat(100_000)]), undefined);
});

test("phrases the match so that it can follow a message", () => {
  assert.equal(didYouMean("stauts", WORDS), ', did you mean "status"');
  assert.equal(didYouMean("quux", WORDS), "");
});
