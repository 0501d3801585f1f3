/** Types that are asked for as a whole: what a client sends and exactly what it must get. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { must, versions } from "../../../test/support/xds-stream.ts";
import { setOf, SetStream } from "../../../test/support/set-stream.ts";

const everything = [{ resourceNames: [] }, { resourceNames: ["*"] }] as const;

for (const request of everything) {
  test(`sends all to a first list of names ${JSON.stringify(request.resourceNames)}`, () => {
    const stream = new SetStream("sotw", setOf({ A: "1", B: "1" }));
    assert.deepEqual(versions(must(stream.sotw(request))), { A: "1", B: "1" });
  });
}

test("sends all to a first delta request without names, and to one for *", () => {
  for (const subscribe of [[], ["*"]]) {
    const stream = new SetStream("delta", setOf({ A: "1" }));
    assert.deepEqual(versions(must(stream.delta({ subscribe }))), { A: "1" });
  }
});

test("ends a stream that asks for parts by name", () => {
  const steps = [
    new SetStream("sotw", undefined).trySotw({ resourceNames: ["A"] }),
    new SetStream("delta", undefined).tryDelta({ subscribe: ["A"] }),
  ];
  for (const step of steps) assert(step.kind === "end" && step.status === "invalid-argument");
});

test("ends a stream of another type, and one that holds names without end", () => {
  const typeUrl = "type.googleapis.com/test.Other";
  const many = new Map(Array.from({ length: 16_385 }, (_, index) => [`name-${index}`, ""]));
  const ends = [
    [new SetStream("sotw", undefined).trySotw({ typeUrl }), "invalid-argument"],
    [new SetStream("delta", undefined).tryDelta({ typeUrl }), "invalid-argument"],
    [new SetStream("delta", undefined).tryDelta({ initialVersions: many }), "resource-exhausted"],
  ] as const;
  for (const [step, status] of ends) assert(step.kind === "end" && step.status === status);
});

test("lets a client wait while there is no set, and tells it of an empty one", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, undefined);
    assert.equal(stream.ask(), undefined);
    const empty = must(stream.change(setOf({})));
    assert.deepEqual([versions(empty), empty.removed], [{}, []]);
    assert.equal(stream.isTaken, false);
    stream.ack(empty);
    assert.equal(stream.isTaken, true);
  }
});

test("does not take a set for held before anybody has asked for it", () => {
  assert.equal(new SetStream("sotw", setOf({})).isTaken, false);
});

test("sends the whole set again when a part changes, in state of the world", () => {
  const stream = new SetStream("sotw", setOf({ A: "1", B: "1", C: "1" }));
  assert.equal(stream.ack(must(stream.ask())), undefined);
  const second = must(stream.change(setOf({ A: "2", B: "1" })));
  assert.deepEqual(versions(second), { A: "2", B: "1" });
  assert.equal(stream.isTaken, false);
  stream.ack(second);
  assert.equal(stream.isTaken, true);
});

test("sends what has changed and names what has gone, in delta", () => {
  const stream = new SetStream("delta", setOf({ A: "1", B: "1", C: "1" }));
  assert.equal(stream.ack(must(stream.ask())), undefined);
  const second = must(stream.change(setOf({ A: "2", B: "1" })));
  assert.deepEqual([versions(second), second.removed], [{ A: "2" }, ["C"]]);
  stream.ack(second);
  assert.equal(stream.isTaken, true);
});

test("sends nothing for a set of equal content", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, setOf({ A: "1" }));
    stream.ack(must(stream.ask()));
    assert.equal(stream.change(setOf({ A: "1" })), undefined);
    assert.equal(stream.isTaken, true);
  }
});

test("does not send a refused set again, nor claim it", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, setOf({ A: "1" }));
    stream.ack(must(stream.ask()));
    const second = must(stream.change(setOf({ A: "2" })));
    assert.equal(stream.nack(second, "no such thing"), undefined);
    assert.equal(stream.refusal?.detail, "no such thing");
    assert.equal(stream.change(setOf({ A: "2" })), undefined);
    assert.equal(stream.isTaken, false);
  }
});

test("sends what was held before a refusal once more: a part of what was refused may be in use", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, setOf({ A: "1", B: "1" }));
    stream.ack(must(stream.ask()));
    stream.nack(must(stream.change(setOf({ A: "2", C: "1" }))));
    const again = must(stream.change(setOf({ A: "1", B: "1" })));
    assert.deepEqual(versions(again), { A: "1", B: "1" });
    assert.deepEqual(again.removed, protocol === "delta" ? ["C"] : []);
    assert.equal(stream.isTaken, false);
    stream.ack(again);
    assert.equal(stream.isTaken, true);
  }
});

test("takes the refusal of an older set for none of the present one", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, setOf({ A: "1" }));
    const first = must(stream.ask());
    const second = must(stream.change(setOf({ A: "2" })));
    assert.equal(stream.nack(first), undefined);
    assert.equal(stream.refusal, undefined);
    stream.ack(second);
    assert.equal(stream.isTaken, true);
  }
});

test("sends everything to a client that comes back, and removes what it should not have", () => {
  const stream = new SetStream("delta", setOf({ A: "1", B: "1" }));
  const initialVersions = new Map([
    ["A", "1"],
    ["C", "1"],
  ]);
  const first = must(stream.delta({ initialVersions }));
  assert.deepEqual([versions(first), first.removed], [{ A: "1", B: "1" }, ["C"]]);
});

test("sends nothing to a client that wants nothing any more", () => {
  const stream = new SetStream("delta", setOf({ A: "1" }));
  stream.ack(must(stream.ask()));
  assert.equal(stream.delta({ unsubscribe: ["*"] }), undefined);
  assert.equal(stream.change(setOf({ A: "2" })), undefined);
  assert.equal(stream.isTaken, false);
  assert.deepEqual(versions(must(stream.delta({ subscribe: ["*"] }))), { A: "2" });
});

test("keeps no more than eight responses of a client that never answers, and claims nothing", () => {
  for (const protocol of ["sotw", "delta"] as const) {
    const stream = new SetStream(protocol, setOf({ A: "0" }));
    let last = must(stream.ask());
    for (let version = 1; version < 20; version++) {
      last = must(stream.change(setOf({ A: `${version}` })));
    }
    assert.equal(stream.unanswered, 8);
    stream.ack(last);
    assert.equal(stream.isTaken, true);
  }
});
