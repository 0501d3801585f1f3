import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { CallerWaiver } from "./caller-waivers.ts";
import { Store } from "./store.ts";

const nowMs = 1_795_521_600_000;

const waiver = (target: string, name: string, untilMs = nowMs + 1_000): CallerWaiver => ({
  target,
  targetText: `${target} as asked for`,
  name,
  reason: "it ends",
  operator: "alice",
  createdAtMs: nowMs,
  untilMs,
});

async function withStore(work: (store: Store) => void): Promise<void> {
  using directory = temporaryDirectory();
  using store = await Store.open(directory.path, "server");
  work(store);
}

describe("stored waivers of callers", () => {
  it("are there by target and name, and one that is given again is the newer one", async () =>
    await withStore(({ callerWaivers }) => {
      callerWaivers.add([waiver("b", "x"), waiver("a", "y"), waiver("a", "x")]);
      callerWaivers.add([waiver("a", "x", nowMs + 9)]);
      assert.deepEqual(callerWaivers.all(), [
        waiver("a", "x", nowMs + 9),
        waiver("a", "y"),
        waiver("b", "x"),
      ]);
    }));

  it("end at their time", async () =>
    await withStore(({ callerWaivers }) => {
      callerWaivers.add([waiver("a", "x", nowMs), waiver("a", "y", nowMs + 1)]);
      callerWaivers.end(nowMs);
      assert.deepEqual(callerWaivers.all(), [waiver("a", "y", nowMs + 1)]);
    }));

  it("are 10,000 at most, and of a batch that is too many none is taken", async () =>
    await withStore(({ callerWaivers }) => {
      callerWaivers.add(Array.from({ length: 10_000 }, (_, at) => waiver("a", `n${at}`)));
      assert.throws(() => callerWaivers.add([waiver("a", "n0"), waiver("a", "new")]), {
        code: "waivers-full",
      });
      assert.equal(callerWaivers.all().length, 10_000);
    }));
});
