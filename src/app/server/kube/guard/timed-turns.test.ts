import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TimedTurns } from "./timed-turns.ts";

describe("turns", () => {
  it("are had one after the other, by each address in its turn", async () => {
    const turns = new TimedTurns();
    const had: string[] = [];
    let underWay = 0;
    const work = (name: string) => async () => {
      assert.equal(++underWay, 1);
      await Promise.resolve();
      underWay--;
      had.push(name);
      return name;
    };
    const asked = ["a1", "a2", "a3", "b1", "c1", "b2"];
    const all = asked.map((name) => turns.run(name[0] ?? "", 10_000, work(name)));
    assert.deepEqual(await Promise.all(all), asked);
    assert.deepEqual(had, ["a1", "a2", "b1", "c1", "a3", "b2"]);
  });

  it("go on after one that has failed, or has taken too long", async () => {
    const turns = new TimedTurns();
    const ended = Promise.withResolvers<number>();
    const failed = turns.run("a", 10_000, () => Promise.reject(new Error("no")));
    const late = turns.run("a", 1, () => ended.promise);
    const next = turns.run("b", 10_000, () => Promise.resolve(1));
    await assert.rejects(failed, /no/);
    assert.equal(await late, undefined);
    ended.resolve(0);
    assert.equal(await next, 1);
    assert.equal(await turns.run("a", 10_000, () => Promise.resolve(2)), 2);
  });
});
