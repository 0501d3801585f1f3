import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flipOf } from "../../../../test/support/flips.ts";
import { encodeFlip } from "../../../core/flip/flip-codec.ts";
import { newFlip, type Flip } from "../../../core/flip/flip.ts";
import type { FlipAtRest } from "../../../edge/store/flips.ts";
import type { LogEvent } from "../log/log-keeper.ts";
import { FlipRegister } from "./flip-register.ts";

class Stored {
  readonly rows = new Map<number, string>();
  readonly steps: string[] = [];

  constructor(flips: readonly Flip[] = []) {
    for (const each of flips) this.rows.set(each.id, encodeFlip(each));
  }

  all(): readonly FlipAtRest[] {
    return Array.from(this.rows, ([id, document]) => ({ id, document }));
  }

  put({ id, document }: FlipAtRest, forgotten: readonly number[]): void {
    this.steps.push(`store ${id}`);
    for (const each of forgotten) this.rows.delete(each);
    this.rows.set(id, document);
  }
}

function registerOf(stored: Stored, record?: (event: LogEvent) => Promise<void>): FlipRegister {
  const say = (event: LogEvent): Promise<void> => {
    stored.steps.push(`log ${JSON.parse(event.detail ?? "").state}`);
    return Promise.resolve();
  };
  return new FlipRegister({ stored, record: record ?? say });
}

const of = (name: string, id: number): Flip => {
  const selector = { app: name };
  const target = { text: `shop/${name}`, namespace: "shop", name, selector, ports: [] };
  return newFlip({ ...flipOf(), target, id });
};

const ended = (flip: Flip): Flip => ({ ...flip, state: { kind: "done", endedMs: 9, unseen: [] } });

describe("the register of flips", () => {
  it("has each change in the log first, then in the store, and then for whoever asks", async () => {
    const stored = new Stored();
    const register = registerOf(stored);
    const flip = of("a", register.nextId());
    await register.change(flip);
    await register.change(ended(flip));
    assert.deepEqual(stored.steps, ["log editing", "store 1", "log done", "store 1"]);
    assert.deepEqual(registerOf(stored).all(), [ended(flip)]);
    assert.equal(registerOf(stored).nextId(), 2);
  });

  it("is as it was where a change cannot be recorded", async () => {
    const flip = of("a", 1);
    const stored = new Stored([flip]);
    const register = registerOf(stored, () => Promise.reject(new Error("the disk is full")));
    await assert.rejects(register.change(ended(flip)), /the disk is full/);
    assert.deepEqual([register.get(1), stored.steps], [flip, []]);
  });

  it("keeps the last one of each target, and whatever is under way", async () => {
    const stored = new Stored([ended(of("a", 1)), of("b", 2), ended(of("c", 3))]);
    const register = registerOf(stored);
    await register.change(of("a", register.nextId()));
    assert.deepEqual(
      register.all().map(({ id }) => id),
      [2, 3, 4],
    );
  });

  it("forgets the oldest that have ended beyond a thousand, and takes no more than so many under way", async () => {
    const all = Array.from({ length: 1_000 }, (_, at) => of(`n${at}`, at + 1));
    const stored = new Stored(all.map((each) => (each.id <= 5 ? ended(each) : each)));
    const register = registerOf(stored);
    await register.change(of("new", register.nextId()));
    await register.change(of("newer", register.nextId()));
    assert.deepEqual(
      register
        .all()
        .slice(0, 2)
        .map(({ id }) => id),
      [3, 4],
    );
    assert.ok(!register.isFull);
    assert.ok(registerOf(new Stored(all)).isFull);
  });

  it("does not begin with one that cannot be read", () => {
    const stored = new Stored();
    stored.rows.set(1, '{"version":2}');
    assert.throws(() => registerOf(stored), { code: "flip-malformed" });
  });
});
