import assert from "node:assert/strict";
import { test } from "node:test";
import { holdMessage, holdOf } from "./flip-hold-messages.ts";

test("what is held back is the same on both sides", () => {
  const hold = {
    flip: 7,
    namespace: "shop",
    selector: new Map([["app", "api"]]),
    ports: [8080],
    exceptPorts: [9000],
    strict: new Set(["shop/api-0"]),
  };
  assert.deepEqual(holdOf(holdMessage(hold)), hold);
});
