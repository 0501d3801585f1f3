import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flipOf } from "../../../../test/support/flips.ts";
import type { CallerWaiver } from "../../../edge/store/caller-waivers.ts";
import type { LogEvent } from "../log/log-keeper.ts";
import { CallerWaivers, type CallerWaiversDependencies } from "./caller-waivers.ts";

const { target } = flipOf();
const claim = { operator: "ada", reason: "it ends" };

function waiversOf(more: Partial<CallerWaiversDependencies> = {}) {
  const steps: string[] = [];
  const clock = { nowMs: 1_000 };
  let rows: readonly CallerWaiver[] = [];
  const stored = {
    all: () => rows,
    add: (all: readonly CallerWaiver[]) => {
      steps.push("store");
      const isNew = ({ target: its, name }: CallerWaiver): boolean =>
        all.every((each) => each.target !== its || each.name !== name);
      rows = [...rows.filter(isNew), ...all];
    },
    end: (byMs: number) => void (rows = rows.filter(({ untilMs }) => untilMs > byMs)),
  };
  const record = ({ subject, detail = "" }: LogEvent): Promise<void> => {
    steps.push(`log ${subject}: ${detail.replaceAll("\n", ", ")}`);
    return Promise.resolve();
  };
  const onChange = (): void => void steps.push("changed");
  const waivers = new CallerWaivers({
    stored: stored as CallerWaiversDependencies["stored"],
    record,
    onChange,
    nowMs: () => clock.nowMs,
    ...more,
  });
  return { waivers, steps, clock, stored: stored as CallerWaiversDependencies["stored"] };
}

describe("waivers of callers", () => {
  it("stand in the log before they count, and count until they end", async () => {
    const { waivers, steps, clock } = waiversOf();
    await waivers.add(target, ["shop/cron", "proxy/shop/api-0"], claim, 5_000);
    assert.deepEqual(steps, [
      "log until 1970-01-01T00:00:05.000Z: target shop/api, shop/cron, proxy/shop/api-0",
      "store",
      "changed",
    ]);
    assert.deepEqual(waivers.namesOf(target), new Set(["shop/cron", "proxy/shop/api-0"]));
    clock.nowMs = 5_000;
    assert.deepEqual(waivers.of(target), []);
    waivers.prune(Infinity);
    waivers.prune(Infinity);
    assert.equal(steps.filter((each) => each === "changed").length, 2);
  });

  it("that have ended are known as long as a flip is under way that had them, after a restart, too", async () => {
    const { waivers, clock, stored } = waiversOf();
    await waivers.add(target, ["shop/cron", "shop/job"], claim, 5_000);
    await waivers.add({ ...target, ports: [8080] }, ["shop/job"], claim, 9_000);
    clock.nowMs = 7_000;
    waivers.prune(4_000);
    const again = waiversOf({ stored, nowMs: () => clock.nowMs }).waivers;
    for (const each of [waivers, again]) {
      assert.deepEqual([...each.namesOf(target)], []);
      const until = [...each.untilOf({ ...target, ports: [8080] })];
      assert.deepEqual(
        new Map(until),
        new Map(Object.entries({ "shop/cron": 5_000, "shop/job": 9_000 })),
      );
    }
    again.prune(5_000);
    assert.deepEqual([...again.untilOf(target)], []);
  });

  it("are of one target, and of each of its ports; those of a port are of that port", async () => {
    const { waivers } = waiversOf();
    const port = { ...target, ports: [8080] };
    await waivers.add(target, ["all"], claim, 5_000);
    await waivers.add(port, ["one"], claim, 5_000);
    assert.deepEqual([...waivers.namesOf(target)], ["all"]);
    assert.deepEqual(waivers.namesOf(port), new Set(["all", "one"]));
    assert.deepEqual([...waivers.namesOf({ ...target, selector: { app: "other" } })], []);
  });

  it("are ended before their time: in the log, then in the store, and known to whom they have covered", async () => {
    const { waivers, steps, clock } = waiversOf();
    await waivers.add(target, ["shop/cron", "shop/job"], claim, 5_000);
    steps.length = 0;
    clock.nowMs = 2_000;
    const cron = waivers.current.find(({ name }) => name === "shop/cron") ?? assert.fail();
    const ended = await waivers.end(cron, { operator: "bob", reason: "calls again" });
    assert.equal(ended.untilMs, 2_000);
    assert.deepEqual(steps, ["log ended: target shop/api, shop/cron", "store", "changed"]);
    assert.deepEqual([...waivers.namesOf(target)], ["shop/job"]);
    assert.deepEqual(
      waivers.current.map(({ name, targetText }) => [targetText, name]),
      [["shop/api", "shop/job"]],
    );
    assert.equal(waivers.untilOf(target).get("shop/cron"), 2_000);
  });

  it("do not count where they cannot be recorded", async () => {
    const record = (): Promise<void> => Promise.reject(new Error("the disk is full"));
    const { waivers, steps } = waiversOf({ record });
    await assert.rejects(waivers.add(target, ["a"], claim, 5_000), /the disk is full/);
    assert.deepEqual([steps, [...waivers.namesOf(target)]], [[], []]);
  });

  const wrong: readonly (readonly [names: readonly string[], untilMs: number])[] = [
    [[], 5_000],
    [["a b"], 5_000],
    [["x".repeat(513)], 5_000],
    [["a"], 1_000],
    [["a"], 31 * 86_400_000],
    [["a"], Number.NaN],
  ];
  for (const [names, untilMs] of wrong) {
    it(`are not ${JSON.stringify(names).slice(0, 20)} until ${untilMs}`, async () => {
      const { waivers, steps } = waiversOf();
      await assert.rejects(waivers.add(target, names, claim, untilMs), { code: "command-waiver" });
      assert.deepEqual(steps, []);
    });
  }
});
