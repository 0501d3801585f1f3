import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../cli/usage-error.ts";
import { parseDemoOptions } from "./options.ts";

test("takes a given seed before any other", () => {
  assert.equal(parseDemoOptions([], 5).seed, 5);
  assert.equal(parseDemoOptions(["--seed", "0"], 5).seed, 0);
  assert.equal(parseDemoOptions(["--seed=4294967295"], 5).seed, 2 ** 32 - 1);
});

test("does nothing special unless it is asked to", () => {
  const plain = { seed: 5, acts: [1, 2, 3], stay: false, json: false, help: false };
  assert.deepEqual(parseDemoOptions([], 5), plain);
  const all = parseDemoOptions(["--stay", "--json", "-h"], 5);
  assert.deepEqual(all, { seed: 5, acts: [1], stay: true, json: true, help: true });
});

test("plays the act that is named", () => {
  assert.deepEqual(parseDemoOptions(["--act", "1", "--stay"], 5).acts, [1]);
  assert.deepEqual(parseDemoOptions(["--act=2"], 5).acts, [2]);
  assert.deepEqual(parseDemoOptions(["--act=3"], 5).acts, [3]);
});

test("refuses what it does not know with the way to the help", () => {
  const wrong = [
    "--act=4",
    "--act=01",
    "--act=",
    "--seed=-1",
    "--seed=1.5",
    "--seed=4294967296",
    "--seed=",
    "--sede",
    "word",
    "--stay=1",
  ];
  for (const word of wrong) {
    assert.throws(
      () => parseDemoOptions([word], 5),
      (error) => error instanceof UsageError && error.hint === "npm run demo -- --help",
      word,
    );
  }
  assert.throws(() => parseDemoOptions(["--act=2", "--stay"], 5), UsageError);
});
