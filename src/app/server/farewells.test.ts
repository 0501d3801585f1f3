import assert from "node:assert/strict";
import { test } from "node:test";
import { Farewells } from "./farewells.ts";
import type { LogEvent } from "./log-keeper.ts";

const reporter = { agentId: "a1", spiffeId: "spiffe://td/x", isNodeAgent: false };

test("records a goodbye once for each certificate", async () => {
  const events: LogEvent[] = [];
  const farewells = new Farewells({
    record: async (event) => 100 + events.push(event),
    onFailed: () => assert.fail("it was recorded"),
  });
  const taken = await Promise.all([
    farewells.take(reporter, "01"),
    farewells.take(reporter, "01"),
    farewells.take({ ...reporter, agentId: "a2" }, "01"),
    farewells.take({ ...reporter, isNodeAgent: true }, "02"),
  ]);
  assert.deepEqual(taken, [101, undefined, undefined, 102]);
  const event = { type: "goodbye", subject: "spiffe://td/x" };
  assert.deepEqual(events, [
    { ...event, reason: "", detail: "a1" },
    { ...event, reason: "node agent", detail: "a1" },
  ]);
});

test("does not count one that could not be recorded, and takes it again", async () => {
  let isFull = true;
  const failed: unknown[] = [];
  const farewells = new Farewells({
    record: async () => {
      if (isFull) throw new Error("full");
      return 7;
    },
    onFailed: (_, error) => void failed.push(error),
  });
  assert.equal(await farewells.take(reporter, "01"), undefined);
  assert.equal(failed.length, 1);
  isFull = false;
  assert.equal(await farewells.take(reporter, "01"), 7);
});
