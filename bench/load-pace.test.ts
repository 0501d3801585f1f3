import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertAllAnswered, findPrograms, LoadSetup } from "./load-setup.ts";
import { frameChain, reply, type Answer } from "./stub-ca.ts";

const chain = frameChain();
const { programs, skip } = await findPrograms();
let setup: LoadSetup;
const load: LoadSetup["load"] = (...args) => setup.load(...args);

describe("the load generator, at a pace", { skip, timeout: 60_000 }, () => {
  before(async () => {
    setup = await LoadSetup.open(programs);
  });
  after(() => setup[Symbol.dispose]());

  it("sends each when it is due, and measures from then on, whoever is busy", async () => {
    const answerMs = 20;
    const answer: Answer = (stream) => void setTimeout(() => reply(stream, chain), answerMs);
    const paced = { connections: 2, inFlight: 2, count: 20, everyMs: 1 };
    const { outcome } = await load(answer, paced);
    assertAllAnswered(outcome, 20);
    const sorted = outcome.samples.toSorted((a, b) => a.dueAtMs - b.dueAtMs);
    for (const [index, { dueAtMs, latencyMs }] of sorted.entries()) {
      assert.ok(Math.abs(dueAtMs - outcome.startedAtMs - index) < 0.01);
      // Two at a time: those before it have had their turns.
      assert.ok(latencyMs >= (Math.floor(index / 2) + 1) * (answerMs - 1) - index, `${latencyMs}`);
    }
    assert.equal(sorted.length, 20);
  });

  it("refuses to keep a pace with several in flight on a connection", async () => {
    const run = load((stream) => reply(stream, chain), { everyMs: 1 });
    await assert.rejects(run, { name: "LoadError", code: "load-run-failed" });
  });
});
