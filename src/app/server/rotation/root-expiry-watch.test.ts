import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { RootExpiryWatch, type WatchedRoot } from "./root-expiry-watch.ts";

const dayMs = 86_400_000;
const beginMs = 1_700_000_000_000;

function watching(roots: WatchedRoot[]): {
  readonly at: (day: number) => readonly string[];
  readonly watch: RootExpiryWatch;
} {
  const lines: { level: number; root: string; leftPercent: number }[] = [];
  let nowMs = beginMs;
  const watch = new RootExpiryWatch({
    roots: () => roots,
    log: pino({}, { write: (text: string) => void lines.push(JSON.parse(text)) }),
    nowMs: () => nowMs,
  });
  const at = (day: number): readonly string[] => {
    nowMs = beginMs + day * dayMs;
    watch.check();
    return lines.splice(0).map(({ level, root, leftPercent }) => {
      return `${root} ${leftPercent} ${level >= 40 ? "warn" : "info"}`;
    });
  };
  return { at, watch };
}

const root = (name: string, days: number): WatchedRoot => ({
  name,
  notBeforeMs: beginMs,
  notAfterMs: beginMs + days * dayMs,
});

test("says once each that a root has half, a quarter and a tenth of its life left", () => {
  const { at, watch } = watching([root("a", 100)]);
  using _ = watch;
  assert.deepEqual([0, 49, 50, 60, 75, 76, 90, 99, 100, 101].map(at), [
    [],
    [],
    ["a 50 info"],
    [],
    ["a 25 warn"],
    [],
    ["a 10 warn"],
    [],
    [],
    [],
  ]);
});

test("says only the last mark of one that it sees late, and each root's by itself", () => {
  const roots = [root("a", 100)];
  const { at, watch } = watching(roots);
  using _ = watch;
  assert.deepEqual(at(95), ["a 5 warn"]);
  roots.push(root("b", 200));
  assert.deepEqual(at(99), []);
  assert.deepEqual(at(110), ["b 45 info"]);
});

test("says it again of a root that was withdrawn and came back, and not because a clock went back", () => {
  const roots = [root("a", 100)];
  const { at, watch } = watching(roots);
  using _ = watch;
  assert.deepEqual(at(60), ["a 40 info"]);
  assert.deepEqual([10, 61].map(at), [[], []]);
  roots.splice(0);
  assert.deepEqual(at(62), []);
  roots.push(root("a", 100));
  assert.deepEqual(at(63), ["a 37 info"]);
});
