import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { FairQueue, laneStrides, type Ticket } from "./fair-queue.ts";
import { classify, type HeldCertificate, type IssuanceClass } from "./issuance-class.ts";

const dayMs = 86_400_000;
const classes = ["newcomer", "urgent", "renewal"] as const;
/** What the log says at time 0 of an identity of each class; none changes within a second. */
const heldOf: Readonly<Record<IssuanceClass, HeldCertificate | undefined>> = {
  newcomer: undefined,
  urgent: { issuedAtMs: -dayMs, validUntilMs: dayMs / 10 },
  renewal: { issuedAtMs: 0, validUntilMs: dayMs },
};

interface Item {
  readonly identity: string;
  readonly index: number;
}

/** Every identity has the class that its name begins with. */
const identity = fc
  .tuple(fc.constantFrom(...classes), fc.nat({ max: 4 }))
  .map(([name, number]) => `${name} ${number}`);
const classOf = (identity: string): IssuanceClass =>
  classes.find((name) => identity.startsWith(name)) ?? "newcomer";

type Command =
  | { readonly kind: "push"; readonly identity: string }
  | { readonly kind: "take"; readonly count: number }
  | { readonly kind: "remove"; readonly at: number };
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("push" as const), identity }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("take" as const), count: fc.nat({ max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("remove" as const), at: fc.nat({ max: 60 }) }),
  },
);
const commands = fc.array(command, { maxLength: 80, size: "max" });

/** How many are taken at most before one that is the n-th identity of its lane (from 0). */
function waitMax(own: IssuanceClass, ahead: number): number {
  const others = classes.filter((name) => name !== own);
  const share = (other: IssuanceClass): number =>
    Math.floor(((ahead + 1) * laneStrides[own]) / laneStrides[other]) + 1;
  return ahead + others.reduce((sum, other) => sum + share(other), 0);
}

/** Arrays only: what waits, and for how many takes each identity has waited since it was last served. */
class Model {
  waiting: Item[] = [];
  readonly patience = new Map<string, number>();

  push(item: Item): void {
    const isNew = this.waiting.every(({ identity }) => identity !== item.identity);
    this.waiting.push(item);
    if (isNew) this.#startWaiting(item.identity);
  }

  /** The queue has chosen this one: is that fair, and in order? */
  taken(item: Item): void {
    assert.deepEqual(
      this.waiting.find(({ identity }) => identity === item.identity),
      item,
      "the first of its identity",
    );
    this.remove(item);
    this.patience.delete(item.identity);
    for (const [identity, left] of this.patience) {
      assert.ok(left > 0, `${identity} waits for too long`);
      this.patience.set(identity, left - 1);
    }
    if (this.waiting.some(({ identity }) => identity === item.identity)) {
      this.#startWaiting(item.identity);
    }
  }

  remove(item: Item): boolean {
    const before = this.waiting.length;
    this.waiting = this.waiting.filter((each) => each !== item);
    if (this.waiting.every(({ identity }) => identity !== item.identity)) {
      this.patience.delete(item.identity);
    }
    return this.waiting.length < before;
  }

  #startWaiting(identity: string): void {
    const own = classOf(identity);
    const ahead = [...this.patience.keys()].filter((other) => classOf(other) === own).length;
    this.patience.set(identity, waitMax(own, ahead));
  }
}

describe("the fair queue", () => {
  it("loses and repeats nothing, keeps each identity's order, and lets none wait beyond its bound", () => {
    let takes = 0;
    let removals = 0;
    fc.assert(
      fc.property(commands, (commands) => {
        const queue = new FairQueue<Item>();
        const model = new Model();
        const tickets: { readonly item: Item; readonly ticket: Ticket<Item> }[] = [];
        for (const [index, command] of commands.entries()) {
          if (command.kind === "push") {
            const item = { identity: command.identity, index };
            const held = heldOf[classOf(item.identity)];
            tickets.push({ item, ticket: queue.push(item, item.identity, held, 0) });
            model.push(item);
          } else if (command.kind === "take") {
            const expected = Math.min(command.count, model.waiting.length);
            const taken = queue.take(command.count, 0);
            assert.equal(taken.length, expected);
            for (const item of taken) model.taken(item);
            takes += taken.length;
          } else {
            const one = tickets[command.at % Math.max(1, tickets.length)];
            if (one === undefined) continue;
            const removed = queue.remove(one.ticket);
            assert.equal(removed, model.remove(one.item));
            if (removed) removals++;
          }
          assert.equal(queue.size, model.waiting.length);
          assert.equal(queue.identities, model.patience.size);
        }
        for (const item of queue.take(Infinity, 0)) model.taken(item);
        assert.deepEqual([queue.size, model.waiting], [0, []]);
      }),
      { numRuns: 500 },
    );
    assert.ok(takes > 1_000 && removals > 100, `${takes} ${removals}`);
  });

  it("promises a wait that hangs on the own lane alone", () => {
    const first = classes.map((name) => waitMax(name, 0));
    assert.deepEqual(first, [2, 4, 8]);
  });

  it("serves a newcomer third at the latest, though 10,000 renewals came before it", () => {
    const queue = filled("renewal", 10_000);
    queue.take(100, 0);
    queue.push("new", "new", heldOf.newcomer, 0);
    assert.ok(queue.take(3, 0).includes("new"));
  });

  it("serves a renewal in a flood of newcomers, and every 7th place when all lanes are full", () => {
    const queue = filled("newcomer", 10_000);
    queue.take(100, 0);
    for (const name of ["urgent", "renewal"] as const) {
      for (let i = 0; i < 1_000; i++) queue.push(name, `${name} ${i}`, heldOf[name], 0);
    }
    assert.ok(queue.take(9, 0).includes("renewal"));
    const shares = queue.take(700, 0);
    assert.deepEqual(
      classes.map((name) => shares.filter((each) => each === name).length),
      [400, 200, 100],
    );
  });

  it("gives an identity with 10,000 requests every other place where another one waits", () => {
    const queue = new FairQueue<string>();
    for (let i = 0; i < 10_000; i++) queue.push("many", "many", undefined, 0);
    for (let i = 0; i < 5; i++) queue.push("few", "few", undefined, 0);
    assert.equal(queue.take(10, 0).filter((each) => each === "few").length, 5);
  });

  it("serves one that comes to idle lanes as soon as those that wait, or sooner", () => {
    for (const name of classes) {
      const queue = filled("renewal", 100);
      queue.take(50, 0);
      queue.push("one", "one", heldOf[name], 0);
      const places = queue.take(Infinity, 0).indexOf("one");
      assert.ok(name === "renewal" ? places === 50 : places <= 1, `${name} ${places}`);
    }
  });

  it("lets a lane that was idle save nothing up", () => {
    const queue = filled("newcomer", 1_000);
    queue.take(900, 0);
    for (let i = 0; i < 100; i++) queue.push("renewal", `renewal ${i}`, heldOf.renewal, 0);
    const next = queue.take(50, 0);
    assert.equal(next.filter((each) => each === "renewal").length, 10);
  });

  it("promotes a renewal that becomes urgent while it waits, and within a second", () => {
    const queue = filled("renewal", 1_000);
    const held = { issuedAtMs: 0, validUntilMs: 4_000 };
    assert.equal(classify(held, 0), "renewal");
    queue.push("late", "late", held, 0);
    assert.ok(!queue.take(100, 3_000).includes("late"), "a quarter is left");
    assert.equal(classify(held, 3_001), "urgent");
    assert.ok(queue.take(1, 4_000).includes("late") || queue.take(1, 4_000).includes("late"));
  });

  it("keeps the order of an identity through its promotion", () => {
    const queue = filled("renewal", 10);
    const held = { issuedAtMs: 0, validUntilMs: 4_000 };
    for (const item of ["1", "2", "3"]) queue.push(item, "late", held, 0);
    queue.take(1, 0);
    const order = queue.take(Infinity, 3_500).filter((each) => each !== "renewal");
    assert.deepEqual(order, ["1", "2", "3"]);
  });

  it("promotes also after the clock went back", () => {
    const queue = new FairQueue<string>();
    const held = { issuedAtMs: 0, validUntilMs: 100 * dayMs };
    for (let i = 0; i < 100; i++) queue.push("renewal", `renewal ${i}`, held, 0);
    queue.take(1, dayMs);
    queue.push("late", "late", { issuedAtMs: -dayMs, validUntilMs: dayMs / 10 }, -dayMs);
    assert.ok(queue.take(2, 0).includes("late"));
  });
});

function filled(name: IssuanceClass, count: number): FairQueue<string> {
  const queue = new FairQueue<string>();
  for (let i = 0; i < count; i++) queue.push(name, `${name} ${i}`, heldOf[name], 0);
  return queue;
}
