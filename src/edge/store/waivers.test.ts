import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { Store } from "./store.ts";
import type { Waiver } from "./waivers.ts";

const nowMs = 1_795_521_600_000;

const waiver = (name: string, untilMs = nowMs + 1_000, rootsSequence = 7n): Waiver => ({
  name,
  reason: "handed out by hand",
  operator: "alice",
  createdAtMs: nowMs,
  untilMs,
  rootsSequence,
});

async function withStore(work: (store: Store) => void): Promise<void> {
  using directory = temporaryDirectory();
  using store = await Store.open(directory.path, "server");
  work(store);
}

describe("stored waivers", () => {
  it("are there by their names, and one that is given again is the newer one", async () =>
    await withStore(({ waivers }) => {
      waivers.add([waiver("class/b"), waiver("class/a")]);
      waivers.add([waiver("class/b", nowMs + 2_000)]);
      assert.deepEqual(waivers.all(), [waiver("class/a"), waiver("class/b", nowMs + 2_000)]);
    }));

  it("end at their time, with the roots that they were given for, or all at once", async () =>
    await withStore(({ waivers }) => {
      waivers.add([
        waiver("class/a", nowMs),
        waiver("class/b", nowMs + 1),
        waiver("class/c", nowMs + 2),
        waiver("class/d", nowMs + 2, 10n ** 18n),
      ]);
      waivers.end(nowMs + 1, 10n ** 18n);
      assert.deepEqual(waivers.all(), [waiver("class/d", nowMs + 2, 10n ** 18n)]);
      waivers.endAll();
      assert.deepEqual(waivers.all(), []);
    }));

  it("are 10,000 at most, and of a batch that is too many none is taken", async () =>
    await withStore(({ waivers }) => {
      const many = Array.from({ length: 10_000 }, (_, number) => waiver(`leaf/${number}`));
      waivers.add(many);
      assert.throws(() => waivers.add([waiver("leaf/0"), waiver("class/a")]), {
        code: "waivers-full",
      });
      waivers.add([waiver("leaf/0", nowMs + 5)]);
      assert.equal(waivers.all().length, 10_000);
    }));
});
