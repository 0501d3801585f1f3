/** What a client may ask for, and what it cannot make the server keep. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { XdsResponse } from "./subscription.ts";
import { must, open, snapshot, versions } from "../../../test/support/xds-stream.ts";

test("ends a stream of another type with InvalidArgument (T-SDS-12)", () => {
  const wrong = { typeUrl: "type.googleapis.com/test.Cluster" };
  for (const step of [open("sotw", {}).trySotw(wrong), open("delta", {}).tryDelta(wrong)]) {
    assert(step.kind === "end");
    assert.equal(step.status, "invalid-argument");
  }
  assert.equal(open("sotw", {}).trySotw({ typeUrl: "" }).kind, "continue");
});

test("ends a stream that subscribes to too many names, at once or bit by bit", () => {
  const names = Array.from({ length: 65 }, (_, index) => `name-${index}`);
  const stream = open("delta", {});
  stream.delta({ subscribe: names.slice(0, 64) });
  const steps = [
    open("sotw", {}).trySotw({ resourceNames: names }),
    open("delta", {}).tryDelta({ subscribe: names }),
    stream.tryDelta({ subscribe: names.slice(64) }),
  ];
  for (const step of steps) assert(step.kind === "end" && step.status === "resource-exhausted");
  assert.equal(open("sotw", {}).trySotw({ resourceNames: names.slice(1) }).kind, "continue");
});

test("ends a stream that asks for a name without end", () => {
  const step = open("sotw", {}).trySotw({ resourceNames: ["x".repeat(4_097)] });
  assert(step.kind === "end" && step.status === "invalid-argument");
  const longest = `spiffe://${"t".repeat(255)}/${"p".repeat(1_783)}`;
  assert.equal(open("sotw", {}).trySotw({ resourceNames: [longest] }).kind, "continue");
});

test("forgets the oldest response of a client that never answers, and sends it again", () => {
  const stream = open("sotw", { A: "0", B: "0" });
  stream.sotw({ resourceNames: ["A", "B"] });
  let last: XdsResponse<string> | undefined;
  for (let version = 1; version <= 8; version++) {
    last = must(stream.change(snapshot({ A: `${version}`, B: "0" })));
    assert.deepEqual(versions(last), { A: `${version}` });
  }
  assert.equal(stream.unanswered, 8);
  assert.deepEqual(versions(must(stream.ack(must(last)))), { B: "0" });
});

test("cuts the detail of a NACK at 1 KiB and between characters", () => {
  const stream = open("sotw", { A: "1" });
  stream.nack(must(stream.sotw({ resourceNames: ["A"] })), `x${"\u00e9".repeat(2_000)}`);
  const detail = must(stream.subscriptions.get("A")?.nack).detail;
  assert.equal(detail, `x${"\u00e9".repeat(511)}`);
});

test("gives equal content an equal version_info, in whatever order it was asked for", () => {
  const all = { A: "1", B: "2" };
  const one = must(open("sotw", all).sotw({ resourceNames: ["A", "B"] }));
  const two = must(open("sotw", all).sotw({ resourceNames: ["B", "A"] }));
  assert.equal(one.versionInfo, two.versionInfo);
  const other = must(open("sotw", { A: "2", B: "1" }).sotw({ resourceNames: ["A", "B"] }));
  assert.notEqual(one.versionInfo, other.versionInfo);
});
