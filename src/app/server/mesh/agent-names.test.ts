import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentNames } from "./agent-names.ts";

const log = new Map([
  ["01", "a1"],
  ["02", ""],
]);
const one = { serialHex: "01" };
const plain = { serialHex: "02" };
const unknown = { serialHex: "03" };

test("an agent is called as when it asked for its certificate, whatever it says now", () => {
  const names = new AgentNames({ find: (serialHex) => log.get(serialHex) });
  assert.deepEqual([names.nameOf(one, "b"), names.nameOf(one, "")], ["a1", "a1"]);
});

test("a certificate that was asked for under no name has one, the first that comes with it", () => {
  const names = new AgentNames({ find: (serialHex) => log.get(serialHex) });
  for (const peer of [plain, unknown]) {
    const called = ["", "x1", "x2", ""].map((claimed) => names.nameOf(peer, claimed));
    assert.deepEqual(called, ["", "x1", "x1", "x1"]);
  }
});
