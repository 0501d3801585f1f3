import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusedTokens } from "./refused-tokens.ts";

const end = { code: 16, details: "no" };

test("a refused token is known for ten seconds, and then tried again", () => {
  const refused = new RefusedTokens();
  refused.add("a", end, 1_000);
  assert.equal(refused.get("a", 10_999), end);
  assert.equal(refused.get("a", 11_000), undefined);
  assert.equal(refused.get("b", 1_000), undefined);
});

test("the oldest refusal makes room when there are too many", () => {
  const refused = new RefusedTokens();
  for (let n = 0; n <= 4_096; n++) refused.add(`${n}`, end, 0);
  assert.equal(refused.get("0", 0), undefined);
  assert.equal(refused.get("1", 0), end);
  assert.equal(refused.get("4096", 0), end);
});
