import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { sampleEvent } from "../../../test/support/log-entries.ts";
import { LogError } from "./log-error.ts";
import { encodeRestored, findRestored, parseRestored } from "./restored.ts";

const range = fc
  .record(
    {
      from: fc.maxSafeNat(),
      lost: fc.nat(1_000_000),
      checkpoint: fc.string(),
      possibleUntilMs: fc.maxSafeNat(),
    },
    { noNullPrototype: true },
  )
  .map(({ from, lost, ...rest }) => ({
    from,
    to: Math.min(from + lost, Number.MAX_SAFE_INTEGER),
    ...rest,
  }));

test("reads back every range", () => {
  fc.assert(
    fc.property(range, (each) => assert.deepEqual(parseRestored(encodeRestored(each)), each)),
  );
});

const bad: readonly string[] = [
  "",
  "[]",
  "null",
  "{}",
  '{"from":1,"to":2,"checkpoint":"","possibleUntil":3} ',
  '{"to":2,"from":1,"checkpoint":"","possibleUntil":3}',
  '{"from":1,"to":2,"checkpoint":"","possibleUntil":3,"more":4}',
  '{"from":3,"to":2,"checkpoint":"","possibleUntil":3}',
  '{"from":-1,"to":2,"checkpoint":"","possibleUntil":3}',
  '{"from":1,"to":2.5,"checkpoint":"","possibleUntil":3}',
  '{"from":"1","to":2,"checkpoint":"","possibleUntil":3}',
  '{"from":1,"to":9007199254740993,"checkpoint":"","possibleUntil":3}',
];

test("refuses what is no range, or not the one encoding of it", () => {
  for (const detail of bad) {
    assert.throws(
      () => parseRestored(detail),
      (error) => error instanceof LogError && error.code === "log-entry-malformed",
      detail,
    );
  }
  const backwards = { from: 2, to: 1, checkpoint: "", possibleUntilMs: 0 };
  assert.throws(() => encodeRestored(backwards), LogError);
});

test("finds a range in restored events that have one, and in nothing else", () => {
  const range = { from: 1, to: 2, checkpoint: "note", possibleUntilMs: 3 };
  const detail = encodeRestored(range);
  assert.deepEqual(findRestored(sampleEvent({ type: "restored", detail })), range);
  assert.equal(findRestored(sampleEvent({ type: "restored", detail: "{}" })), undefined);
  assert.equal(findRestored(sampleEvent({ type: "pruned", detail })), undefined);
});
