import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { WorkLoop, type WorkLoopOptions } from "./work-loop.ts";

/** Work that ends when a test says so. */
class Held {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, (laterMs: number | undefined) => void>();

  readonly work: WorkLoopOptions["work"] = async (key, signal) => {
    this.begun.push(key);
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#ends.set(key, resolve);
    signal.addEventListener("abort", () => resolve(undefined));
    return await promise;
  };

  async end(key: string, laterMs?: number): Promise<void> {
    this.#ends.get(key)?.(laterMs);
    await turn();
  }
}

const nowMs = (): number => performance.now();

function loopOf(held: Held, options: Partial<WorkLoopOptions> = {}): WorkLoop {
  return new WorkLoop({ inFlightMax: 2, waitingMax: 100, nowMs, work: held.work, ...options });
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = nowMs() + 5_000;
  while (!condition()) {
    assert.ok(nowMs() < deadlineMs, "it took too long");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe("a loop of work", () => {
  it("has so many under way, in their order, each key once", async () => {
    const held = new Held();
    await using loop = loopOf(held);
    loop.add(["a", "b", "c", "d", "c"]);
    loop.add(["a"]);
    assert.deepEqual(held.begun, ["a", "b"]);
    await held.end("b");
    assert.deepEqual(held.begun, ["a", "b", "c"]);
    await held.end("a");
    await held.end("c");
    assert.deepEqual(held.begun, ["a", "b", "c", "d", "a"]);
  });

  it("tries again at the time that the work names", async () => {
    const held = new Held();
    await using loop = loopOf(held);
    loop.add(["a"]);
    const dueMs = nowMs() + 30;
    await held.end("a", dueMs);
    assert.equal(held.begun.length, 1);
    await until(() => held.begun.length === 2);
    assert.ok(nowMs() >= dueMs - 1);
  });

  it("begins nothing while it is paused, and goes on by itself", async () => {
    const held = new Held();
    await using loop = loopOf(held);
    loop.pauseUntil(nowMs() + 30);
    loop.add(["a"]);
    assert.deepEqual(held.begun, []);
    await until(() => held.begun.length === 1);
  });

  it("asks for what found no room when there is some", async () => {
    const held = new Held();
    const all = ["a", "b", "c", "d"];
    let asked = 0;
    await using loop: WorkLoop = loopOf(held, {
      inFlightMax: 1,
      waitingMax: 1,
      onRoom: () => {
        asked++;
        loop.add(all.slice(2));
      },
    });
    loop.add(["a"]);
    loop.add(["b", "c", "d"]);
    await held.end("a");
    await held.end("b");
    assert.equal(asked, 1);
    assert.deepEqual(held.begun, ["a", "b", "c"]);
  });

  it("cuts off what is under way at its end, and begins nothing after it", async () => {
    const held = new Held();
    const loop = loopOf(held);
    loop.add(["a", "b", "c"]);
    await loop[Symbol.asyncDispose]();
    loop.add(["d"]);
    assert.ok(loop.isClosed);
    assert.deepEqual(held.begun, ["a", "b"]);
  });
});
