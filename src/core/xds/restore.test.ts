/** What a client has accepted is sent to it again after it has refused what came next. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { must, snapshot, Stream, versions } from "../../../test/support/xds-stream.ts";
import type { Snapshot } from "./resource.ts";

function restoring(resources: Readonly<Record<string, string>>): Snapshot<string> {
  return { ...snapshot(resources), restored: new Set(["A"]) };
}

/** It holds version 1 of A, and has refused version 2. @returns what is sent then */
function refuse(stream: Stream) {
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  return stream.nack(must(stream.change(restoring({ A: "2", B: "1" }))), "unreadable");
}

test("restores once what was accepted, and the refusal stands", () => {
  const stream = new Stream("sotw", restoring({ A: "1", B: "1" }));
  const restored = must(refuse(stream));
  assert.deepEqual(versions(restored), { A: "1" });
  assert.equal(stream.ack(restored), undefined);
  const { acked, nack } = must(stream.subscriptions.get("A"));
  assert.deepEqual([acked?.version, nack?.version, nack?.detail], ["1", "2", "unreadable"]);
  assert.equal(stream.ack(restored), undefined);
});

test("restores nothing that the snapshot does not name, and nothing before a first acceptance", () => {
  const plain = new Stream("sotw", snapshot({ A: "1" }));
  plain.ack(must(plain.sotw({ resourceNames: ["A"] })));
  assert.equal(plain.nack(must(plain.change(snapshot({ A: "2" })))), undefined);
  const first = new Stream("sotw", restoring({ A: "1" }));
  assert.equal(first.nack(must(first.sotw({ resourceNames: ["A"] }))), undefined);
});

test("gives up when that is refused, too, until the content changes", () => {
  const stream = new Stream("sotw", restoring({ A: "1", B: "1" }));
  assert.equal(stream.nack(must(refuse(stream)), "not that, either"), undefined);
  assert.equal(stream.subscriptions.get("A")?.nack?.detail, "unreadable");
  assert.deepEqual(versions(must(stream.change(restoring({ A: "3" })))), { A: "3" });
});

test("ends the refusal when the content is again what is held, without sending it once more", () => {
  const stream = new Stream("sotw", restoring({ A: "1", B: "1" }));
  stream.ack(must(refuse(stream)));
  assert.equal(stream.change(restoring({ A: "1" })), undefined);
  const { acked, nack } = must(stream.subscriptions.get("A"));
  assert.deepEqual([acked?.version, nack], ["1", undefined]);
});

test("ends it also when that content is on its way", () => {
  const stream = new Stream("sotw", restoring({ A: "1", B: "1" }));
  const restored = must(refuse(stream));
  assert.equal(stream.change(restoring({ A: "1" })), undefined);
  stream.ack(restored);
  assert.equal(stream.subscriptions.get("A")?.nack, undefined);
});

test("restores before anything else is sent", () => {
  const stream = new Stream("sotw", restoring({ A: "1", B: "1" }));
  const names = ["A", "B"];
  stream.ack(must(stream.sotw({ resourceNames: names })));
  const both = must(stream.change(restoring({ A: "2", B: "2" })));
  const alone = must(stream.nack(both));
  assert.deepEqual(versions(alone), { A: "2" });
  const restored = must(stream.nack(alone));
  assert.deepEqual(versions(restored), { A: "1" });
  assert.deepEqual(versions(must(stream.ack(restored))), { B: "2" });
});
