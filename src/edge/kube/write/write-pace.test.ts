import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KubeError } from "../kube-error.ts";
import { WritePace } from "./write-pace.ts";

const never = new AbortController().signal;
const nowMs = (): number => performance.now();

describe("the pace of writes", () => {
  it("lets a burst through at once, and the others in their order at the rate", async () => {
    const pace = new WritePace({ limit: { ratePerSecond: 100, burst: 2 }, nowMs });
    const startMs = nowMs();
    const order: number[] = [];
    const writes = [0, 1, 2, 3, 4].map(async (at) =>
      pace.run(never, async () => void order.push(at)),
    );
    await Promise.all(writes);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    assert.ok(nowMs() - startMs >= 25, `${nowMs() - startMs} ms`);
  });

  it("holds everybody back after a 429, for as long as that says", async () => {
    const pace = new WritePace({ nowMs });
    const error = new KubeError("kube-throttled", "later", { retryAfterMs: 60 });
    await assert.rejects(
      pace.run(never, async () => {
        throw error;
      }),
      error,
    );
    const startMs = nowMs();
    await pace.run(never, async () => {});
    assert.ok(nowMs() - startMs >= 50, `${nowMs() - startMs} ms`);
  });

  it("lets nobody past the line because one in it gives up", async () => {
    const pace = new WritePace({ limit: { ratePerSecond: 20, burst: 1 }, nowMs });
    await pace.run(never, async () => {});
    const startMs = nowMs();
    const [second, leaving] = [new AbortController(), new AbortController()];
    const order: string[] = [];
    const first = pace.run(second.signal, async () => void order.push("first"));
    const left = pace.run(leaving.signal, async () => void order.push("left"));
    const last = pace.run(never, async () => void order.push("last"));
    leaving.abort();
    await assert.rejects(left, { name: "AbortError" });
    await Promise.all([first, last]);
    assert.deepEqual(order, ["first", "last"]);
    assert.ok(nowMs() - startMs >= 90, `${nowMs() - startMs} ms`);
  });
});
