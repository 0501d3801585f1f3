import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AddressHistory, type AddressSpan, type Holder } from "./address-history.ts";

const held = (
  name: string,
  sinceMs: number,
  untilMs?: number,
  isMeshed = true,
  address = "10.0.0.1",
): AddressSpan => ({ address, name, isMeshed, sinceMs, untilMs });

const workload = (name: string, isMeshed = true): Holder => ({
  kind: "workload",
  name,
  isMeshed,
});
const several = (...names: string[]): Holder => ({ kind: "several", names });
const unknown: Holder = { kind: "unknown" };

describe("who held an address", () => {
  const skewMs = 10;
  const turns = [held("shop/a", 100, 200), held("shop/b", 300, 400, false), held("shop/b", 400)];
  const table: readonly (readonly [string, readonly AddressSpan[], number, number, Holder])[] = [
    ["is unknown where nobody is known", [], 150, 150, unknown],
    ["is who held it at the time", turns, 150, 150, workload("shop/a")],
    ["is not who holds it now", turns, 150, 190, several("shop/a")],
    ["is unknown before anybody had it", turns, 50, 60, unknown],
    ["is unknown between two", turns, 250, 250, unknown],
    ["is unknown if it is for a part of the time", turns, 150, 250, unknown],
    ["is unknown if it is at the beginning", turns, 50, 150, unknown],
    ["is unknown if it is in the middle", turns, 150, 350, unknown],
    ["is who still holds it", turns, 500, 9_999, workload("shop/b")],
    ["had a proxy only if it had one all the time", turns, 350, 500, workload("shop/b", false)],
    ["is off by the skew at most, before", turns, 91, 91, workload("shop/a")],
    ["is off by the skew at most, after", turns, 209, 209, workload("shop/a")],
    ["is unknown beyond the skew", turns, 211, 211, unknown],
    [
      "is both of whom one followed the other",
      [held("shop/a", 0, 100), held("shop/b", 100)],
      50,
      150,
      several("shop/a", "shop/b"),
    ],
    [
      "is both within the skew of the change",
      [held("shop/a", 0, 100), held("shop/b", 100)],
      105,
      105,
      several("shop/a", "shop/b"),
    ],
    [
      "is both of whom share it",
      [held("shop/b", 0), held("shop/a", 0)],
      50,
      50,
      several("shop/a", "shop/b"),
    ],
    [
      "is one that was away for less than the skew",
      [held("shop/a", 0, 100), held("shop/a", 105)],
      50,
      150,
      workload("shop/a"),
    ],
  ];
  for (const [title, spans, firstMs, lastMs, expected] of table) {
    it(title, () => {
      const history = new AddressHistory(spans, skewMs);
      const holder = history.holderOf("10.0.0.1", firstMs, lastMs);
      const one = expected.kind === "several" && expected.names.length === 1;
      assert.deepEqual(holder, one ? workload(expected.names[0] ?? "") : expected);
    });
  }

  it("is found under each form of an address, and a name of DNS is none", () => {
    const history = new AddressHistory([
      held("shop/a", 0, undefined, true, "::FFFF:10.0.0.9"),
      held("shop/b", 0, undefined, true, "2001:DB8:0::1"),
      held("shop/c", 0, undefined, true, "db.test"),
    ]);
    assert.deepEqual(history.holderOf("10.0.0.9", 1, 2), workload("shop/a"));
    assert.deepEqual(history.holderOf("2001:db8::1", 1, 2), workload("shop/b"));
    assert.deepEqual(history.holderOf("db.test", 1, 2), unknown);
  });
});

describe("against each moment by itself", () => {
  const spans = fc.array(
    fc
      .tuple(
        fc.constantFrom("shop/a", "shop/b", "shop/c"),
        fc.nat({ max: 40 }),
        fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 4 }),
        fc.boolean(),
      )
      .map(([name, sinceMs, length, isMeshed]) =>
        held(name, sinceMs, length === undefined ? undefined : sinceMs + length, isMeshed),
      ),
    { maxLength: 4 },
  );

  it("names the same", () => {
    fc.assert(
      fc.property(
        spans,
        fc.nat({ max: 50 }),
        fc.nat({ max: 20 }),
        fc.nat({ max: 6 }),
        (all, firstMs, forMs, skewMs) => {
          const lastMs = firstMs + forMs;
          assert.deepEqual(
            new AddressHistory(all, skewMs).holderOf("10.0.0.1", firstMs, lastMs),
            naiveHolder(all, firstMs, lastMs, skewMs),
          );
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("never names one who is not known to have held it, whatever comes to be known", () => {
    fc.assert(
      fc.property(
        spans,
        spans,
        fc.nat({ max: 50 }),
        fc.nat({ max: 20 }),
        (all, more, at, forMs) => {
          const before = new AddressHistory(all, 2).holderOf("10.0.0.1", at, at + forMs);
          const after = new AddressHistory([...all, ...more], 2).holderOf(
            "10.0.0.1",
            at,
            at + forMs,
          );
          if (before.kind === "workload") assert.ok(namesOf(after).includes(before.name));
          if (before.kind === "several") {
            for (const name of before.names) assert.ok(namesOf(after).includes(name));
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

function namesOf(holder: Holder): readonly string[] {
  if (holder.kind === "several") return holder.names;
  return holder.kind === "unknown" ? [] : [holder.name];
}

function naiveHolder(
  all: readonly AddressSpan[],
  firstMs: number,
  lastMs: number,
  skewMs: number,
): Holder {
  const holds = (span: AddressSpan, ms: number): boolean =>
    span.sinceMs <= ms && ms < (span.untilMs ?? Infinity);
  let nobodyMs = 0;
  for (let ms = firstMs; ms < lastMs; ms++) {
    nobodyMs = all.some((span) => holds(span, ms)) ? 0 : nobodyMs + 1;
    if (nobodyMs > skewMs) return unknown;
  }
  const near: AddressSpan[] = [];
  for (const span of all) {
    for (let ms = firstMs - skewMs; ms <= lastMs + skewMs; ms++) {
      if (holds(span, ms) && !near.includes(span)) near.push(span);
    }
  }
  const names = [...new Set(near.map(({ name }) => name))].toSorted();
  if (names.length > 1) return several(...names);
  const [name] = names;
  return name === undefined
    ? unknown
    : workload(
        name,
        near.every(({ isMeshed }) => isMeshed),
      );
}
