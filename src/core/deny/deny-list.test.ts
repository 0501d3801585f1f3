import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Denial, NewDenial } from "./denial.ts";
import { assertNotDenied, DenyList, denialsMax } from "./deny-list.ts";
import type { DenyTarget } from "./deny-target.ts";

const identity = "spiffe://td/ns/shop/sa/web";
const serialHex = "01".repeat(16);
const targets: readonly DenyTarget[] = [
  { kind: "identity", id: identity },
  { kind: "identity", id: "spiffe://td/ns/shop/sa/cart" },
  { kind: "serial", serialHex },
  { kind: "serial", serialHex: "02".repeat(16) },
];
const denial = (more: Partial<NewDenial> = {}): NewDenial => ({
  target: { kind: "identity", id: identity },
  reason: "its node was taken over",
  operator: "alice",
  createdAtMs: 0,
  ...more,
});

type Change =
  | { readonly kind: "add"; readonly denial: NewDenial }
  | { readonly kind: "remove"; readonly at: number }
  | { readonly kind: "prune"; readonly nowMs: number };
const newDenial: fc.Arbitrary<NewDenial> = fc.record(
  {
    target: fc.constantFrom(...targets),
    reason: fc.constantFrom("a", "b"),
    operator: fc.constantFrom("", "alice"),
    createdAtMs: fc.constant(0),
    untilMs: fc.integer({ min: 1, max: 100 }),
  },
  { requiredKeys: ["target", "reason", "operator", "createdAtMs"] },
);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: newDenial.map((denial) => ({ kind: "add" as const, denial })) },
  { weight: 2, arbitrary: fc.nat({ max: 9 }).map((at) => ({ kind: "remove" as const, at })) },
  {
    weight: 1,
    arbitrary: fc.nat({ max: 100 }).map((nowMs) => ({ kind: "prune" as const, nowMs })),
  },
);

describe("the deny list", () => {
  it("does what a plain list does, and its sequence rises with each change and is never given twice", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat({ max: 110 }), (changes, nowMs) => {
        let list = DenyList.empty;
        let model: Denial[] = [];
        const given = new Set<number>();
        for (const change of changes) {
          const before = list;
          list = applied(list, change);
          if (list !== before) assert.equal(list.sequence, before.sequence + 1);
          if (change.kind === "add") {
            model.push({ ...change.denial, sequence: list.sequence });
            assert.ok(!given.has(list.sequence));
            given.add(list.sequence);
          } else if (change.kind === "remove") {
            model = model.filter(
              ({ sequence }) => sequence !== before.denials[change.at]?.sequence,
            );
          } else {
            model = model.filter(({ untilMs = Infinity }) => change.nowMs < untilMs);
          }
          assert.deepEqual(list.denials, model);
        }
        for (const id of ["spiffe://td/ns/shop/sa/cart", identity, "spiffe://td/other"]) {
          for (const serial of [undefined, serialHex, "03".repeat(16)]) {
            const found = list.find(id, serial, nowMs);
            const hits = model.filter(
              ({ target, untilMs = Infinity }) =>
                nowMs < untilMs &&
                (target.kind === "identity" ? target.id === id : target.serialHex === serial),
            );
            assert.equal(found === undefined, hits.length === 0);
            if (found !== undefined) assert.ok(hits.some((hit) => hit.sequence === found.sequence));
          }
        }
        const again = DenyList.of(list.sequence, structuredClone(list.denials));
        assert.deepEqual(again.digest(), list.digest());
      }),
      { numRuns: 300 },
    );
  });

  it("has another digest when anything in it, or its sequence, is another", () => {
    const variants: readonly Partial<NewDenial>[] = [
      {},
      { target: { kind: "identity", id: `${identity}2` } },
      { target: { kind: "serial", serialHex } },
      { reason: "other" },
      { operator: "" },
      { createdAtMs: 1 },
      { untilMs: 5 },
    ];
    const lists = [
      DenyList.empty,
      ...variants.map((more) => DenyList.empty.add(denial(more))),
      DenyList.of(2, DenyList.empty.add(denial()).denials),
      DenyList.empty.add(denial()).remove(1),
    ];
    const digests = lists.map((list) => Buffer.from(list.digest()).toString("hex"));
    assert.equal(new Set(digests).size, lists.length);
    assert.ok(digests.every((digest) => digest.length === 64));
  });

  it("is not changed by a change, and neither is what it was made of", () => {
    const one = DenyList.empty.add(denial());
    const two = one.add(denial({ reason: "again" }));
    assert.deepEqual([DenyList.empty.denials.length, one.denials.length], [0, 1]);
    assert.throws(() => (two.denials as Denial[]).pop(), TypeError);
    assert.ok(two.denials.every((each) => Object.isFrozen(each) && Object.isFrozen(each.target)));
    assert.equal(one.prune(1e15), one);
  });

  it("ends a denial in the millisecond that it names, and never where the clock reads NaN", () => {
    const list = DenyList.empty.add(denial({ untilMs: 1_000 }));
    assert.ok(list.find(identity, undefined, 999));
    assert.equal(list.find(identity, undefined, 1_000), undefined);
    assert.ok(list.find(identity, undefined, Number.NaN));
  });

  it("does not let a short denial shorten a long one, nor its removal lift it", () => {
    const list = DenyList.empty
      .add(denial({ untilMs: 500 }))
      .add(denial({ reason: "for good" }))
      .add(denial({ untilMs: 1_000 }));
    assert.equal(list.find(identity, undefined, 0)?.reason, "for good");
    assert.equal(list.remove(2).find(identity, undefined, 0)?.untilMs, 1_000);
    assert.ok(list.remove(1).remove(3).find(identity, undefined, 1e12));
  });

  it(`has ${denialsMax} denials at most, and room again after pruning`, () => {
    const many = Array.from({ length: denialsMax }, (_, i) => ({
      ...denial({ target: { kind: "identity", id: `spiffe://td/vm/${i}` }, untilMs: 1_000 + i }),
      sequence: i + 1,
    }));
    const list = DenyList.of(denialsMax, many);
    assert.throws(() => list.add(denial()), { code: "deny-list-full" });
    const pruned = list.prune(1_000).add(denial());
    assert.deepEqual([pruned.denials.length, pruned.sequence], [denialsMax, denialsMax + 2]);
    assert.throws(() => DenyList.of(denialsMax + 1, [...many, { ...denial(), sequence: 10_001 }]), {
      code: "deny-list-malformed",
    });
  });

  it("refuses to remove what is not in it", () => {
    const list = DenyList.empty.add(denial()).remove(1);
    for (const sequence of [0, 1, 2, Number.NaN]) {
      assert.throws(() => list.remove(sequence), { code: "denial-unknown" });
    }
  });

  const invalid: readonly (readonly [string, Partial<NewDenial>])[] = [
    ["without a reason", { reason: "" }],
    ["with a reason that is too long", { reason: "x".repeat(201) }],
    ["with a line end in its reason", { reason: "a\nb" }],
    ["with a control character in its reason", { reason: "a\u001b[2J" }],
    ["with a reason that turns the direction of writing", { reason: "a\u202eb" }],
    ["with half a character in its reason", { reason: "a\ud800" }],
    ["of an operator with too long a name", { operator: "x".repeat(61) }],
    ["of an operator with a line end", { operator: "a\n" }],
    ["that ends when it begins", { createdAtMs: 5, untilMs: 5 }],
    ["that ends at no time", { untilMs: Number.NaN }],
    ["that ends in half a millisecond", { untilMs: 1.5 }],
    ["that ends after all dates", { untilMs: 8.64e15 + 1 }],
    ["that was made at no time", { createdAtMs: -1 }],
    ["of a serial in capitals", { target: { kind: "serial", serialHex: "AB".repeat(16) } }],
    [
      "of a serial with a zero before it",
      { target: { kind: "serial", serialHex: "00".repeat(16) } },
    ],
    ["of no identity", { target: { kind: "identity", id: "shop/web" } }],
    ["of a whole trust domain", { target: { kind: "identity", id: "spiffe://td" } }],
  ];
  for (const [what, more] of invalid) {
    it(`refuses a denial ${what}, new or stored`, () => {
      assert.throws(() => DenyList.empty.add(denial(more)), { code: "denial-invalid" });
      const stored = [{ ...denial(more), sequence: 1 }];
      assert.throws(() => DenyList.of(1, stored), { code: "deny-list-malformed" });
    });
  }

  const stored: readonly (readonly [string, number, readonly number[]])[] = [
    ["out of order", 9, [2, 1]],
    ["twice with one number", 9, [1, 1]],
    ["with a number beyond the list's", 1, [1, 2]],
    ["with number 0", 9, [0]],
    ["with half a number", 9, [1.5]],
    ["under no sequence", Number.NaN, []],
    ["under a negative sequence", -1, []],
  ];
  for (const [what, sequence, numbers] of stored) {
    it(`refuses stored denials ${what}`, () => {
      const denials = numbers.map((each) => ({ ...denial(), sequence: each }));
      assert.throws(() => DenyList.of(sequence, denials), { code: "deny-list-malformed" });
    });
  }
});

describe("a denied caller", () => {
  const list = DenyList.empty
    .add(denial({ untilMs: Date.UTC(2026, 0, 1) }))
    .add(denial({ target: { kind: "serial", serialHex }, reason: "its key leaked" }));

  it("is told what is denied, until when and why, and not by whom", () => {
    assert.throws(() => assertNotDenied(list, identity, serialHex, 0), {
      code: "identity-denied",
      message: `${identity} is denied until 2026-01-01T00:00:00.000Z: its node was taken over`,
    });
    assert.throws(() => assertNotDenied(list, "spiffe://td/x", serialHex, 0), {
      code: "certificate-denied",
      message: `certificate ${serialHex} is denied: its key leaked`,
    });
  });

  it("is nobody else", () => {
    assertNotDenied(list, "spiffe://td/x", undefined, 0);
    assertNotDenied(list, "spiffe://td/x", "02".repeat(16), 0);
    assertNotDenied(list, identity, "02".repeat(16), Date.UTC(2026, 0, 1));
    assertNotDenied(DenyList.empty, identity, serialHex, 0);
  });
});

function applied(list: DenyList, change: Change): DenyList {
  if (change.kind === "add") return list.add(change.denial);
  if (change.kind === "prune") return list.prune(change.nowMs);
  const sequence = list.denials[change.at]?.sequence;
  return sequence === undefined ? list : list.remove(sequence);
}
