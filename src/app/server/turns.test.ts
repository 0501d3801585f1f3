import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../test/support/control-plane.ts";
import { Turns } from "./turns.ts";

test("does everything once, in its order, and says what failed", async () => {
  const done: number[] = [];
  const failed: unknown[] = [];
  using turns = new Turns<number, string>({
    work: (key, value) => {
      done.push(key);
      if (value === "bad") throw new RangeError("scripted");
    },
    onFailed: (error) => failed.push(error),
  });
  for (const key of [1, 2, 3, 4]) turns.schedule(key, key === 2 ? "bad" : "good");
  turns.schedule(1, "bad");
  turns.cancel(3);
  await eventually(() => done.length === 3);
  assert.deepEqual(done, [1, 2, 4]);
  assert.equal(failed.length, 1);
});

test("rests after a turn, whoever comes", async () => {
  const starts: number[] = [];
  using turns = new Turns<number, undefined>({
    work: () => {
      const start = performance.now();
      starts.push(start);
      while (performance.now() - start < 3);
    },
    onFailed: (error) => assert.fail(String(error)),
  });
  for (let key = 0; key < 4; key++) turns.schedule(key, undefined);
  await eventually(() => starts.length === 2);
  turns.schedule(9, undefined);
  await eventually(() => starts.length === 5);
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
  assert.ok(
    gaps.every((gap) => gap >= 28),
    gaps.join(),
  );
});
