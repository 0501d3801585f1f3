/** What the silence of a watch says. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isQuiet } from "./quiet-watch.ts";

describe("the silence of a watch", () => {
  const untilMs = 400_000;
  const table: readonly (readonly [string, number, number | undefined, boolean])[] = [
    ["says nothing while the API server answers over the same connection", 75_000, 74_000, true],
    ["is one of a server that does not answer any more", 75_000, 71_000, false],
    ["is one of a connection of which nobody knows", 75_000, undefined, false],
    ["is a dead stream's, long after its end", 400_000, 399_500, false],
  ];
  for (const [verdict, nowMs, aliveMs, is] of table) {
    it(verdict, () => assert.equal(isQuiet({ nowMs, aliveMs, untilMs }), is));
  }
});
