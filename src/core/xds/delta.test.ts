/** Delta: what a client sends and exactly what it must get. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  evidenceOf,
  must,
  open,
  snapshot,
  Stream,
  versions,
} from "../../../test/support/xds-stream.ts";

test("says that an unknown name is removed, once, and sends it when it appears (T-SDS-13)", () => {
  const stream = open("delta", {});
  const first = must(stream.delta({ subscribe: ["A"] }));
  assert.deepEqual([versions(first), first.removed], [{}, ["A"]]);
  assert.equal(stream.delta({ responseNonce: first.nonce }), undefined);
  assert.deepEqual(versions(must(stream.change(snapshot({ A: "1" })))), { A: "1" });
});

test("neither sends nor removes a pending name", () => {
  const stream = new Stream("delta", snapshot({}, { pending: ["A"] }));
  assert.equal(stream.delta({ subscribe: ["A"] }), undefined);
  assert.deepEqual(versions(must(stream.change(snapshot({ A: "1" })))), { A: "1" });
});

test("sends a known name again when it is subscribed again (T-SDS-13)", () => {
  const stream = open("delta", { A: "1" });
  const first = must(stream.delta({ subscribe: ["A"] }));
  assert.equal(stream.delta({ responseNonce: first.nonce }), undefined);
  assert.deepEqual(versions(must(stream.delta({ subscribe: ["A"] }))), { A: "1" });
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "1");
});

test("counts an equal initial version as held and does not send it", () => {
  const stream = open("delta", { A: "1", B: "2" });
  const initialVersions = new Map([
    ["A", "1"],
    ["B", "1"],
    ["C", "1"],
  ]);
  const first = must(stream.delta({ subscribe: ["A", "B"], initialVersions }));
  assert.deepEqual(versions(first), { B: "2" });
  const acked = { version: "1", evidence: evidenceOf("1"), atMs: 1, source: "initial-version" };
  assert.deepEqual(stream.subscriptions.get("A")?.acked, acked);
  assert.equal(stream.subscriptions.get("B")?.acked, undefined);
  assert.equal(stream.subscriptions.has("C"), false);
  assert.deepEqual(versions(must(stream.change(snapshot({ A: "3", B: "2" })))), { A: "3" });
});

test("removes a resource that is withdrawn and claims nothing once that is acknowledged", () => {
  const stream = open("delta", { A: "1", B: "1" });
  stream.delta({ responseNonce: must(stream.delta({ subscribe: ["A", "B"] })).nonce });
  const removal = must(stream.change(snapshot({ B: "1" })));
  assert.deepEqual([versions(removal), removal.removed], [{}, ["A"]]);
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "1");
  assert.equal(stream.delta({ responseNonce: removal.nonce }), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  assert.equal(stream.subscriptions.get("B")?.acked?.version, "1");
});

test("stops sending what was unsubscribed, whatever nonce says so", () => {
  const stream = open("delta", { A: "1" });
  must(stream.delta({ subscribe: ["A"] }));
  assert.equal(stream.delta({ unsubscribe: ["A"], responseNonce: "unknown" }), undefined);
  assert.equal(stream.change(snapshot({ A: "2" })), undefined);
  assert.equal(stream.subscriptions.size, 0);
});

test("keeps a NACK and sends again only when the content changes (T-SDS-3)", () => {
  const stream = open("delta", { A: "1" });
  const first = must(stream.delta({ subscribe: ["A"] }));
  assert.equal(stream.delta({ responseNonce: first.nonce, error: "no" }), undefined);
  assert.equal(stream.delta({ responseNonce: first.nonce }), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  assert.equal(stream.subscriptions.get("A")?.nack?.version, "1");
  assert.deepEqual(versions(must(stream.change(snapshot({ A: "2" })))), { A: "2" });
});

test("does not count an ACK of what was sent before the name was subscribed anew", () => {
  const stream = open("delta", { A: "1" });
  const first = must(stream.delta({ subscribe: ["A"] }));
  stream.delta({ unsubscribe: ["A"] });
  const second = must(stream.delta({ subscribe: ["A"] }));
  stream.delta({ responseNonce: first.nonce });
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  stream.delta({ responseNonce: second.nonce });
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "1");
});

test("claims nothing after a removal is acknowledged, also when more is under way", () => {
  const stream = open("delta", { A: "1" });
  const first = must(stream.delta({ subscribe: ["A"] }));
  const removal = must(stream.change(snapshot({})));
  const last = must(stream.change(snapshot({ A: "2" })));
  stream.delta({ responseNonce: first.nonce });
  stream.delta({ responseNonce: removal.nonce });
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  stream.delta({ responseNonce: last.nonce, error: "refused" });
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
});
