import assert from "node:assert/strict";
import { test } from "node:test";
import { FlushParts } from "./envoy-metrics-parts.ts";
import type { EnvoyMetrics } from "./envoy-metrics-message.ts";

const warming = "listener_manager.total_listeners_warming";

test("takes a flush in one message for whole, and one in parts when all of them are there", () => {
  const parts = new FlushParts();
  assert.deepEqual(parts.add(message(1, { [warming]: 0, a: 1 })), flush(1, { [warming]: 0, a: 1 }));
  assert.deepEqual(parts.add(message(2, { [warming]: 0 })), flush(2, { [warming]: 0 }));
  assert.deepEqual(parts.add(message(2, { a: 1 })), flush(2, { [warming]: 0, a: 1 }), "again");
  assert.equal(parts.add(message(3, { [warming]: 0 })), undefined, "the last one had two");
  assert.deepEqual(parts.add(message(3, { a: 2 })), flush(3, { [warming]: 0, a: 2 }));
});

test("takes no flush for whole that lacks what is always there", () => {
  const parts = new FlushParts();
  assert.equal(parts.add(message(1, { a: 1 })), undefined);
  assert.equal(parts.add(message(2, { a: 1 })), undefined);
  assert.equal(parts.add(message(undefined, {})), undefined);
});

test("counts a part that has nothing of use", () => {
  const parts = new FlushParts();
  parts.add(message(1, { [warming]: 0 }));
  parts.add(message(1, {}));
  assert.equal(parts.add(message(2, { [warming]: 0 })), undefined);
  assert.ok(parts.add(message(2, {})));
});

test("refuses a flush without an end", () => {
  const parts = new FlushParts();
  for (let part = 0; part < 64; part++) parts.add(message(1, {}));
  assert.throws(() => parts.add(message(1, {})), RangeError);
});

function message(
  takenMs: number | undefined,
  stats: Readonly<Record<string, number>>,
): EnvoyMetrics {
  return { nodeId: undefined, takenMs, stats: new Map(Object.entries(stats)) };
}

function flush(takenMs: number, stats: Readonly<Record<string, number>>) {
  return { takenMs, stats: new Map(Object.entries(stats)) };
}
