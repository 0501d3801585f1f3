import assert from "node:assert/strict";
import { it } from "node:test";
import { HurriedStreams } from "./hurried-streams.ts";

it("asks each stream once for as long as any flip waits for it, and then lets it be", () => {
  const asked: string[] = [];
  const streams = new HurriedStreams<string>((stream, everyMs = 0) => {
    asked.push(`${stream} ${everyMs}`);
  });
  const says = (expected: readonly string[]): void => assert.deepEqual(asked.splice(0), expected);
  streams.waitsFor(1, new Set(["a"]));
  says(["a 1000"]);
  streams.waitsFor(1, new Set(["a", "b"]));
  says(["b 1000"]);
  streams.waitsFor(2, new Set(["b"]));
  streams.waitsFor(1, new Set(["a"]));
  says([]);
  streams.waitsFor(1, new Set());
  says(["a 0"]);
  streams.waitsFor(2, new Set());
  says(["b 0"]);
  streams.waitsFor(2, new Set());
  says([]);
});
