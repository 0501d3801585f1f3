/** State of the world: the T-SDS rows, what a client sends and exactly what it must get. */

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

test("answers a first request whatever version and nonce it brings (T-SDS-1)", () => {
  const held = must(open("sotw", { A: "1" }).sotw({ resourceNames: ["A"] })).versionInfo;
  for (const versionInfo of ["", "stale", held]) {
    for (const responseNonce of ["", "p-1", "other-7"]) {
      const stream = open("sotw", { A: "1" });
      const response = must(stream.sotw({ resourceNames: ["A"], versionInfo, responseNonce }));
      assert.deepEqual(versions(response), { A: "1" });
      assert.equal(stream.subscriptions.get("A")?.acked, undefined);
    }
  }
});

test("sends nothing on an ACK and records what it proves (T-SDS-2)", () => {
  const stream = open("sotw", { A: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  assert.equal(stream.ack(first), undefined);
  const acked = { version: "1", evidence: evidenceOf("1"), atMs: 2, source: "ack" };
  assert.deepEqual(stream.subscriptions.get("A")?.acked, acked);
  assert.deepEqual(stream.facts, [{ kind: "acked", name: "A", version: "1" }]);
});

test("keeps a NACK and sends again only when the content changes (T-SDS-3)", () => {
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  const second = must(stream.change(snapshot({ A: "2" })));
  assert.equal(stream.nack(second, "KEY_VALUES_MISMATCH"), undefined);
  assert.equal(stream.nack(second), undefined);
  assert.equal(stream.change(snapshot({ A: "2" })), undefined);
  const { acked, nack } = must(stream.subscriptions.get("A"));
  assert.equal(acked?.version, "1");
  assert.deepEqual(nack, { version: "2", detail: "KEY_VALUES_MISMATCH", atMs: 3 });

  stream.ack(must(stream.change(snapshot({ A: "3" }))));
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "3");
  assert.equal(stream.subscriptions.get("A")?.nack, undefined);
});

test("does not take the request that follows a NACK for an ACK", () => {
  const stream = open("sotw", { A: "1", B: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  stream.nack(first);
  const names = { resourceNames: ["A", "B"], responseNonce: first.nonce, versionInfo: "older" };
  assert.deepEqual(versions(must(stream.sotw(names))), { B: "1" });
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  assert.notEqual(stream.subscriptions.get("A")?.nack, undefined);
});

test("does not count an ACK that names another version than the response's", () => {
  const stream = open("sotw", { A: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  assert.equal(stream.sotw({ responseNonce: first.nonce, versionInfo: "other" }), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
});

test("neither answers nor counts a request with a wrong nonce (T-SDS-4)", () => {
  const stream = open("sotw", { A: "1" });
  const { versionInfo } = must(stream.sotw({ resourceNames: ["A"] }));
  assert.equal(stream.sotw({ responseNonce: "p-9", versionInfo }), undefined);
  assert.deepEqual(stream.facts, [{ kind: "unknown-nonce", nonce: "p-9" }]);
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
});

test("answers names that came with an older nonce once the newest response is answered", () => {
  const stream = open("sotw", { A: "1", B: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  const second = must(stream.change(snapshot({ A: "2", B: "1" })));
  const late = { responseNonce: first.nonce, versionInfo: first.versionInfo };
  assert.equal(stream.sotw({ ...late, resourceNames: ["A", "B"] }), undefined);
  assert.deepEqual(versions(must(stream.ack(second))), { B: "1" });
});

test("pushes nothing when the same content is made again (T-SDS-5)", () => {
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  assert.equal(stream.change(snapshot({ A: "1" })), undefined);
});

test("counts an ACK as proof of what the snapshot now says of equal content", () => {
  const renewed = snapshot({ A: "1" }, { evidence: "sequence 8" });
  for (const ackFirst of [true, false]) {
    const stream = open("sotw", { A: "1" });
    const first = must(stream.sotw({ resourceNames: ["A"] }));
    if (ackFirst) stream.ack(first);
    assert.equal(stream.change(renewed), undefined);
    if (!ackFirst) stream.ack(first);
    assert.equal(stream.subscriptions.get("A")?.acked?.evidence, "sequence 8");
  }
});

test("answers new names at once and with no more than what is new (T-SDS-6)", () => {
  const stream = open("sotw", { A: "1", B: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  stream.ack(first);
  const request = { responseNonce: first.nonce, versionInfo: first.versionInfo };
  const both = must(stream.sotw({ ...request, resourceNames: ["A", "B"] }));
  assert.deepEqual(versions(both), { B: "1" });
  stream.ack(both);
  assert.equal(stream.sotw({ responseNonce: both.nonce, resourceNames: ["A"] }), undefined);
  assert.deepEqual([...stream.subscriptions.keys()], ["A"]);
  const again = must(stream.sotw({ responseNonce: both.nonce, resourceNames: ["A", "B"] }));
  assert.deepEqual(versions(again), { B: "1" });
});

test("serves four names of one request (T-SDS-7)", () => {
  const all = { default: "1", ROOTCA: "2", "spiffe://td": "3", "spiffe://td/ns/a/sa/b": "4" };
  const stream = open("sotw", all);
  const response = must(stream.sotw({ resourceNames: Object.keys(all) }));
  assert.deepEqual(versions(response), all);
  stream.ack(response);
  for (const [name, version] of Object.entries(all)) {
    assert.equal(stream.subscriptions.get(name)?.acked?.version, version);
  }
});

test("serves a good name beside an unknown one, and that one when it appears (T-SDS-8)", () => {
  const stream = open("sotw", { A: "1" });
  const first = must(stream.sotw({ resourceNames: ["A", "file-root:system"] }));
  assert.deepEqual(versions(first), { A: "1" });
  assert.deepEqual(first.removed, []);
  assert.deepEqual(stream.facts, [{ kind: "unknown-name", name: "file-root:system" }]);
  stream.ack(first);
  const late = must(stream.change(snapshot({ A: "1", "file-root:system": "1" })));
  assert.deepEqual(versions(late), { "file-root:system": "1" });
});

test("is silent about a pending name until it arrives (T-SDS-9)", () => {
  const stream = new Stream("sotw", snapshot({}, { pending: ["A"] }));
  assert.equal(stream.sotw({ resourceNames: ["A"] }), undefined);
  assert.deepEqual(stream.facts, []);
  // The first request may be repeated while nothing was sent: its nonce means nothing yet.
  assert.equal(stream.sotw({ resourceNames: ["A"], responseNonce: "old" }), undefined);
  assert.deepEqual(versions(must(stream.change(snapshot({ A: "1" })))), { A: "1" });
});

test("leads the client to the newest of two pushes before the first ACK (T-SDS-10)", () => {
  const stream = open("sotw", { A: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  const second = must(stream.change(snapshot({ A: "2" })));
  assert.equal(stream.ack(first), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "1");
  assert.equal(stream.ack(second), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "2");
});

test("sends again what a skipped reply left unproven", () => {
  const stream = open("sotw", { A: "1", B: "1" });
  must(stream.sotw({ resourceNames: ["A", "B"] }));
  const second = must(stream.change(snapshot({ A: "2", B: "1" })));
  assert.deepEqual(versions(second), { A: "2" });
  const again = must(stream.ack(second));
  assert.equal(stream.subscriptions.get("B")?.acked, undefined);
  assert.deepEqual(versions(again), { B: "1" });
  assert.equal(stream.ack(again), undefined);
  assert.equal(stream.subscriptions.get("B")?.acked?.version, "1");
});

test("remembers the node of the first request (T-SDS-11)", () => {
  const stream = open("sotw", { A: "1" });
  const first = must(stream.sotw({ resourceNames: ["A"], node: { id: "n", cluster: "c" } }));
  stream.ack(first);
  stream.sotw({ responseNonce: first.nonce, node: { id: "other", cluster: "c" } });
  assert.deepEqual(stream.node, { id: "n", cluster: "c" });
});

test("takes an empty list for no subscription, first or later", () => {
  const stream = open("sotw", { A: "1" });
  assert.equal(stream.sotw({ resourceNames: [] }), undefined);
  const first = must(stream.sotw({ resourceNames: ["A"] }));
  stream.ack(first);
  assert.equal(stream.sotw({ resourceNames: [], responseNonce: first.nonce }), undefined);
  assert.equal(stream.change(snapshot({ A: "2" })), undefined);
  assert.equal(stream.subscriptions.size, 0);
});

test("keeps the proof of a resource that is withdrawn, for Envoy keeps the resource", () => {
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  assert.equal(stream.change(snapshot({})), undefined);
  assert.equal(stream.subscriptions.get("A")?.acked?.version, "1");
});

test("sends the parts of a refused response one by one and blames only the bad one", () => {
  const stream = open("sotw", { A: "1", B: "bad", C: "1" });
  const refused = must(stream.sotw({ resourceNames: ["A", "B", "C"] }));
  const a = must(stream.nack(refused));
  assert.deepEqual(versions(a), { A: "1" });
  const b = must(stream.ack(a));
  assert.deepEqual(versions(b), { B: "bad" });
  const c = must(stream.nack(b));
  assert.deepEqual(versions(c), { C: "1" });
  assert.equal(stream.ack(c), undefined);
  const nacks = [...stream.subscriptions].filter(([, { nack }]) => nack !== undefined);
  assert.deepEqual(
    nacks.map(([name]) => name),
    ["B"],
  );
});

/** The same content as version 1, of a later bundle. */
const again = () => snapshot({ A: "1" }, { evidence: evidenceOf("3") });

test("counts an ACK for content that has come again, where nothing else was sent since", () => {
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  assert.equal(stream.change(again()), undefined);
  assert.deepEqual(stream.subscriptions.get("A")?.acked?.evidence, evidenceOf("3"));
});

test("counts no ACK for content that has come again after other content, until that is taken, too", () => {
  const acked = (stream: Stream) => stream.subscriptions.get("A")?.acked?.evidence;
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  const second = must(stream.change(snapshot({ A: "2" })));
  const third = must(stream.change(again()));
  assert.deepEqual(acked(stream), evidenceOf("1"));
  stream.ack(second);
  assert.deepEqual(acked(stream), evidenceOf("2"));
  stream.ack(third);
  assert.deepEqual(acked(stream), evidenceOf("3"));

  const late = open("sotw", { A: "1" });
  const first = must(late.sotw({ resourceNames: ["A"] }));
  late.change(snapshot({ A: "2" }));
  late.change(again());
  late.ack(first);
  assert.deepEqual(acked(late), evidenceOf("1"));
});

test("claims nothing of a name whose newer content was sent and never answered", () => {
  const stream = open("sotw", { A: "1" });
  stream.ack(must(stream.sotw({ resourceNames: ["A"] })));
  must(stream.change(snapshot({ A: "2" })));
  const third = must(stream.change(snapshot({ A: "3" })));
  // It may have taken the second before it refused the third.
  stream.nack(third);
  assert.equal(stream.subscriptions.get("A")?.acked, undefined);
  assert.equal(stream.subscriptions.get("A")?.nack?.version, "3");
});
