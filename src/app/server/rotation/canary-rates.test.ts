import assert from "node:assert/strict";
import { it } from "node:test";
import { CanaryRates } from "./canary-rates.ts";

const root = "0a";
const tooOften = { code: "canary-too-often" };

it("lets an agent ask once a minute under a root, one at a time, and again after a failure", async () => {
  let nowMs = 0;
  const rates = new CanaryRates(() => nowMs);
  const ask = (rootSha256 = root, agent = "a1"): Promise<string> =>
    rates.inTurn(agent, rootSha256, async () => "signed");
  await assert.rejects(
    rates.inTurn("a1", root, () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await ask(), "signed");
  await assert.rejects(ask(), tooOften);
  assert.equal(await ask(root, "a2"), "signed");
  assert.equal(await ask("0b"), "signed");
  await assert.rejects(ask("0b"), tooOften);
  nowMs = 60_000;
  const { promise, resolve } = Promise.withResolvers<string>();
  const slow = rates.inTurn("a1", "0b", () => promise);
  await assert.rejects(ask("0c"), tooOften);
  resolve("signed");
  assert.equal(await slow, "signed");
});

it("keeps nobody out for ever when the clock was set back", async () => {
  let nowMs = 3_600_000;
  const rates = new CanaryRates(() => nowMs);
  const ask = (): Promise<string> => rates.inTurn("a1", root, async () => "signed");
  await ask();
  nowMs = 0;
  assert.equal(await ask(), "signed");
});
