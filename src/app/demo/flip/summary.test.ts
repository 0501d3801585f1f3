import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFlipSummary, unmetOfFlip, type FlipSummary } from "./summary.ts";

const good: FlipSummary = {
  seed: 1,
  elapsedMs: 45_000,
  requests: { sent: 4_000, failed: 0 },
  moved: { sent: 300, failed: 0 },
  failures: [],
  named: ["legacy/cron", "shop/batch-1"],
  checks: [4, 0],
  stages: [["api-1"], ["api-1", "api-2", "api-3"]],
  late: { wasRefused: true, named: ["legacy/report"] },
  revertMs: 90,
  end: { state: "reverted", cause: "operator" },
};

test("passes what has shown all", () => {
  assert.deepEqual(unmetOfFlip(good), []);
  const text = formatFlipSummary(good, false).join("\n");
  assert.match(text, /legacy\/cron, shop\/batch-1/);
  assert.match(text, /api-1; api-1, api-2, api-3/);
  assert.match(text, /served in 90 ms/);
  assert.match(text, /^PASS: /m);
});

const bad: readonly (readonly [string, Partial<FlipSummary>, RegExp])[] = [
  ["a failed request", { requests: { sent: 4_000, failed: 1 } }, /1 of 4000 requests/],
  ["a failed request of one who moved", { moved: { sent: 300, failed: 2 } }, /2 of 300/],
  ["nobody who moved", { moved: { sent: 0, failed: 0 } }, /got none/],
  ["a caller who was not named", { named: ["legacy/cron"] }, /named legacy\/cron, and not/],
  ["one named too many", { named: ["a", "legacy/cron", "shop/batch-1"] }, /named a, /],
  ["a verdict that was not UNSAFE", { checks: [3, 0] }, /code 4 of the first check, got 3/],
  ["a verdict that was not SAFE", { checks: [4, 3] }, /code 0 of the second check, got 3/],
  ["a stage for all at once", { stages: [good.stages[1] ?? [], []] }, /made 3 of/],
  ["a late caller who was served", { late: { ...good.late, wasRefused: false } }, /not refused/],
  [
    "a late caller without a name",
    { late: { ...good.late, named: ["127.0.0.1"] } },
    /127\.0\.0\.1/,
  ],
  [
    "a flip that took itself back",
    { end: { state: "reverted", cause: "meshed-failure" } },
    /meshed-failure/,
  ],
  ["a revert without end", { revertMs: undefined }, /never/],
  ["a revert that took long", { revertMs: 5_001 }, /5001 ms/],
];

for (const [what, changes, complaint] of bad) {
  test(`does not pass ${what}`, () => {
    assert.match(unmetOfFlip({ ...good, ...changes }).join("\n"), complaint);
  });
}
