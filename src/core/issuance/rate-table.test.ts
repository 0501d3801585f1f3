import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RateTable } from "./rate-table.ts";

const limit = { ratePerSecond: 1, burst: 1 };

describe("a table of token buckets", () => {
  it("becomes small again after a crowd", () => {
    const table = new RateTable(limit, 1_000);
    for (let i = 0; i < 1_000; i++) table.take(`crowd ${i}`, 0);
    assert.equal(table.size, 1_000);
    for (let i = 0; i < 1_000; i++) table.take(`later ${i}`, 1_000 * (i + 1));
    assert.ok(table.size <= 2, String(table.size));
  });

  it("makes a new key wait until the bucket is full that gave a token first", () => {
    const table = new RateTable(limit, 2);
    table.take("a", 0);
    table.take("b", 400);
    assert.equal(table.waitMs("c", 500), 500);
    assert.equal(table.waitMs("c", 1_000), 0);
    table.take("c", 1_000);
    assert.deepEqual([table.has("a"), table.has("b"), table.size], [false, true, 2]);
  });
});
