import assert from "node:assert/strict";
import { it } from "node:test";
import { LookBacks } from "./look-backs.ts";

it("another look-back stands in the log once an hour for each who asks, and is tried again where it could not be written", async () => {
  const said: string[] = [];
  let isFull = true;
  let nowMs = 0;
  const lookBacks = new LookBacks({
    settings: () => ({ lookBackSeconds: 600, evidenceRetentionSeconds: 3_600 }),
    record: ({ subject, detail }) => {
      if (isFull) return Promise.reject(new Error("the disk is full"));
      said.push(`${subject}: ${detail}`);
      return Promise.resolve();
    },
    nowMs: () => nowMs,
  });
  const say = () => lookBacks.say(60_000, "ada", "shop/api");
  await assert.rejects(say(), /the disk is full/);
  await assert.rejects(say(), /the disk is full/);
  isFull = false;
  await say();
  await say();
  await lookBacks.say(600_000, "ada", "shop/api");
  assert.deepEqual(said, ["shop/api: look-back of 60 s, setting 600 s"]);
  nowMs = 3_600_000;
  await say();
  assert.equal(said.length, 2);
});
