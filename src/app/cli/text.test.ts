import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { printable, wrap } from "./text.ts";

test("wraps at words, loses none, and breaks only what fits nowhere", () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 });
  fc.assert(
    fc.property(words, fc.integer({ min: 12, max: 80 }), (words, width) => {
      const lines = wrap(words.join(" "), width);
      assert.deepEqual(lines.join(" ").split(" "), words);
      assert.ok(lines.every((line) => line.length <= width));
      for (const [index, line] of lines.slice(1).entries()) {
        const [first = ""] = line.split(" ");
        assert.ok(`${lines[index]} ${first}`.length > width, "the word would have fitted");
      }
    }),
  );
});

test("keeps lines apart, and a word longer than the width whole", () => {
  assert.deepEqual(wrap("a b\n\nc", 80), ["a b", "", "c"]);
  assert.deepEqual(wrap("a toolongword b", 5), ["a", "toolongword", "b"]);
});

test("leaves nothing in a text that a terminal would obey", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
  assert.equal(printable("plain, ünïcode"), "plain, ünïcode");
  assert.equal(printable("a\u001B[1m\n"), String.raw`a\u{1b}[1m\n`);
});
