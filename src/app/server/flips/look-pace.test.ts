import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { LookPace, type Looked, type LookPaceOptions } from "./look-pace.ts";

function paceOf(look: LookPaceOptions["look"], more: Partial<LookPaceOptions> = {}): LookPace {
  return new LookPace({
    look,
    nextMs: () => Infinity,
    onFailed: (error) => assert.fail(String(error)),
    ...more,
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 5_000 && !isTrue(); turn++) await sleep(1);
  assert.ok(isTrue());
}

describe("what is looked at when it may be another", () => {
  it("is looked at once for all that changes within a turn, and again while there is more to do", async () => {
    const more: readonly Looked[] = ["again", "again", "done"];
    let looks = 0;
    await using pace = paceOf(() => Promise.resolve(more[looks++] ?? "done"));
    for (let count = 0; count < 10; count++) pace.wake();
    await until(() => looks === 3);
    await nextTurn();
    assert.equal(looks, 3);
    pace.wake();
    await until(() => looks === 4);
  });

  it("takes a small part of the time only, whatever a look costs", async () => {
    const began: number[] = [];
    await using pace = paceOf(async () => {
      began.push(performance.now());
      await sleep(20);
      return "done";
    });
    pace.wake();
    await until(() => began.length === 1);
    pace.wake();
    await until(() => began.length === 2);
    assert.ok((began[1] ?? 0) - (began[0] ?? 0) > 200, String(began));
  });

  it("is looked at by itself when its time comes, and not again and again when that is past", async () => {
    let looks = 0;
    let nextMs = 60;
    await using pace = paceOf(
      () => {
        looks += 1;
        return Promise.resolve("done");
      },
      { nextMs: () => nextMs },
    );
    pace.wake();
    await until(() => looks === 1);
    nextMs = -5;
    await until(() => looks === 2);
    await sleep(200);
    assert.equal(looks, 2);
  });

  it("does what is costly seldom, and looks again when it may", async () => {
    let looks = 0;
    let done = 0;
    const work = async (): Promise<number> => {
      await sleep(10);
      return ++done;
    };
    await using pace: LookPace = paceOf(async () => {
      looks += 1;
      await pace.costly(work);
      return looks < 3 ? "again" : "done";
    });
    pace.wake();
    await until(() => looks === 3);
    assert.equal(done, 1);
    await until(() => done === 2);
    assert.ok(looks <= 5, `${looks}`);
  });

  it("is not tried again at once where it has failed, whoever wakes it", async () => {
    let looks = 0;
    await using pace = paceOf(() => {
      looks += 1;
      return Promise.resolve("failed");
    });
    pace.wake();
    await until(() => looks === 1);
    pace.wake();
    await sleep(200);
    assert.equal(looks, 1);
  });

  it("says what a look throws, and ends while one is under way", async () => {
    const failed: unknown[] = [];
    const bad = paceOf(() => Promise.reject(new Error("a fault")), {
      onFailed: (error) => void failed.push(error),
    });
    bad.wake();
    await until(() => failed.length === 1);
    await bad[Symbol.asyncDispose]();
    let looks = 0;
    const { promise, resolve } = Promise.withResolvers<Looked>();
    const pace = paceOf(async () => {
      looks += 1;
      return await promise;
    });
    pace.wake();
    await until(() => looks === 1);
    const ended = pace[Symbol.asyncDispose]();
    resolve("again");
    await ended;
    pace.wake();
    await nextTurn();
    assert.equal(looks, 1);
  });
});
