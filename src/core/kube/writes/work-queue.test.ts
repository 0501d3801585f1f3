import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { WorkQueue } from "./work-queue.ts";

/** All that is ready, each done at once. */
function drain(queue: WorkQueue, nowMs: number): readonly string[] {
  const all: string[] = [];
  for (let key = queue.take(nowMs); key !== undefined; key = queue.take(nowMs)) {
    all.push(key);
    queue.done(key);
  }
  return all;
}

describe("a queue of work", () => {
  it("gives each key once, the oldest first", () => {
    const queue = new WorkQueue(10);
    for (const key of ["b", "a", "b", "c", "a"]) queue.add(key);
    assert.deepEqual(drain(queue, 0), ["b", "a", "c"]);
    assert.equal(queue.nextMs, undefined);
  });

  it("gives again what was asked for while it was under way, and never twice at once", () => {
    const queue = new WorkQueue(10);
    queue.add("a");
    assert.equal(queue.take(0), "a");
    queue.add("a");
    assert.equal(queue.take(0), undefined);
    queue.done("a");
    assert.deepEqual(drain(queue, 0), ["a"]);
  });

  it("gives what is to be later by its time, or when somebody asks for it", () => {
    const queue = new WorkQueue(10);
    queue.delay("late", 200);
    queue.delay("early", 100);
    queue.delay("asked", 1_000);
    assert.equal(queue.nextMs, 100);
    queue.add("asked");
    assert.deepEqual(drain(queue, 0), ["asked"]);
    assert.deepEqual(drain(queue, 99), []);
    assert.deepEqual(drain(queue, 300), ["early", "late"]);
  });

  it("does not make later what is ready", () => {
    const queue = new WorkQueue(10);
    queue.add("a");
    queue.delay("a", 100);
    assert.equal(queue.take(0), "a");
    queue.add("a");
    queue.done("a", 100);
    assert.deepEqual(drain(queue, 0), ["a"]);
  });

  it("forgets what is gone, also under way", () => {
    const queue = new WorkQueue(10);
    queue.add("a");
    queue.delay("b", 1);
    queue.add("c");
    assert.equal(queue.take(0), "a");
    queue.add("a");
    for (const key of ["a", "b", "c"]) queue.forget(key);
    queue.done("a");
    assert.deepEqual(drain(queue, 10), []);
    assert.equal(queue.size, 0);
  });

  it("says once that something found no room", () => {
    const queue = new WorkQueue(2);
    for (const key of ["a", "b", "c"]) queue.add(key);
    assert.deepEqual(drain(queue, 0), ["a", "b"]);
    assert.deepEqual([queue.takeOverfull(), queue.takeOverfull()], [true, false]);
  });

  it("loses nothing and repeats nothing, whatever order its calls come in", () => {
    const key = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("add"), key }),
      fc.record({ kind: fc.constant("delay"), key }),
      fc.record({ kind: fc.constant("take"), key }),
      fc.record({ kind: fc.constant("done"), key }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new WorkQueue(3);
        const [wanted, underWay] = [new Set<string>(), new Set<string>()];
        let nowMs = 0;
        for (const { kind, key } of steps) {
          nowMs += 1;
          if (kind === "add") {
            wanted.add(key);
            queue.add(key);
          }
          if (kind === "delay" && !underWay.has(key)) {
            wanted.add(key);
            queue.delay(key, nowMs + 2);
          }
          if (kind === "take") {
            const taken = queue.take(nowMs);
            if (taken === undefined) continue;
            assert.ok(wanted.delete(taken), `${taken} was not wanted`);
            assert.ok(!underWay.has(taken), `${taken} is under way`);
            underWay.add(taken);
          }
          if (kind === "done" && underWay.delete(key)) queue.done(key);
        }
        for (const each of underWay) queue.done(each);
        assert.deepEqual(drain(queue, nowMs + 10).toSorted(), [...wanted].toSorted());
      }),
    );
  });
});
