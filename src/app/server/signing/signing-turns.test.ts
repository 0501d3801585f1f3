import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { describe, it } from "node:test";
import { SigningTurns } from "./signing-turns.ts";

describe("signing turns", () => {
  it("let groups go side by side", async () => {
    const turns = new SigningTurns();
    const both = Promise.withResolvers<void>();
    let begun = 0;
    const group = async (): Promise<void> => {
      begun += 1;
      if (begun === 2) both.resolve();
      await both.promise;
    };
    await Promise.all([turns.shared(group), turns.shared(group)]);
    assert.equal(begun, 2);
  });

  it("keep a change waiting for what is on its way, and what comes waiting for the change", async () => {
    const turns = new SigningTurns();
    const [old, change] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const seen: string[] = [];
    const first = turns.shared(async () => {
      await old.promise;
      seen.push("old group");
    });
    const changed = turns.alone(async () => {
      seen.push("change begins");
      await change.promise;
      seen.push("change ends");
    });
    const second = turns.shared(async () => void seen.push("new group"));
    const again = turns.alone(async () => void seen.push("next change"));
    await turn();
    assert.deepEqual(seen, []);
    old.resolve();
    await turn();
    assert.deepEqual(seen, ["old group", "change begins"]);
    change.resolve();
    await Promise.all([first, changed, second, again]);
    assert.deepEqual(seen.slice(0, 3), ["old group", "change begins", "change ends"]);
    assert.deepEqual(new Set(seen.slice(3)), new Set(["new group", "next change"]));
  });

  it("go on after a group or a change that failed", async () => {
    const turns = new SigningTurns();
    const fail = (): Promise<never> => Promise.reject(new Error("fails"));
    await assert.rejects(turns.shared(fail), /fails/);
    await assert.rejects(turns.alone(fail), /fails/);
    assert.equal(await turns.shared(() => Promise.resolve(1)), 1);
    assert.equal(await turns.alone(() => Promise.resolve(2)), 2);
  });
});
