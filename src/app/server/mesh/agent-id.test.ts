import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { agentIdOf } from "./agent-id.ts";

for (const [title, values, expected] of [
  ["an id is taken as it is", ["node-1/a:b.c_d"], "node-1/a:b.c_d"],
  ["128 characters are taken", ["a".repeat(128)], "a".repeat(128)],
  ["129 characters are none", ["a".repeat(129)], ""],
  ["another alphabet is none", ["a b"], ""],
  ["none is none", [], ""],
  ["two are none", ["a", "b"], ""],
] as const) {
  test(title, () => {
    const metadata = new Metadata();
    for (const value of values) metadata.add("portcullis-agent-id", value);
    assert.equal(agentIdOf(metadata), expected);
  });
}
