import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { planFlips, type PlanCaller, type PlanTarget } from "./flip-plan.ts";

function targetOf(name: string, more: Partial<PlanTarget> = {}): PlanTarget {
  return {
    target: `shop/${name}`,
    mode: "permissive",
    workloads: [`shop/${name}-0`, `shop/${name}-1`],
    verdict: "safe",
    callers: [],
    silent: [],
    ...more,
  };
}

const calledBy = (name: string, ...callers: readonly PlanCaller[]): PlanTarget =>
  targetOf(name, { verdict: "unsafe", callers });
const meshed = (name: string): PlanCaller => ({ name: `shop/${name}-0`, isMeshed: true });

const lines = (targets: readonly PlanTarget[]): readonly string[] =>
  planFlips(targets).map(({ target, order, waitsFor, next }) =>
    [order, target, waitsFor.join("; ") || "-", next.replace("portcullis mtls ", "")].join(" | "),
  );

test("SAFE ones go first, then those whose callers are the namespace's own, then those of whom nobody knows", () => {
  const targets = [
    targetOf("unknown", {
      verdict: "unknown",
      silent: [
        { name: "proxy/shop/unknown-0", reason: "late" },
        { name: "target/shop/unknown", reason: "too-young" },
      ],
    }),
    targetOf("bare", {
      verdict: "unknown",
      silent: [{ name: "target/shop/bare", reason: "nobody" }],
    }),
    targetOf("strict", { mode: "strict" }),
    targetOf("off", { mode: "disable" }),
    calledBy("outside", { name: "10.0.0.9", isMeshed: undefined }),
    calledBy("naked", { name: "shop/cron", isMeshed: false }, meshed("web")),
    calledBy("api", meshed("web")),
    calledBy("db", meshed("api"), meshed("db")),
    calledBy("cache", meshed("db")),
    calledBy("far", { name: "bank/teller", isMeshed: true }),
    targetOf("web"),
  ];
  assert.deepEqual(lines(targets), [
    "1 | shop/web | - | flip shop/web --to strict",
    "2 | shop/api | shop/web-0 of shop/web sends no mTLS | check shop/api",
    "3 | shop/db | shop/api-0 of shop/api sends no mTLS; shop/db-0 sends no mTLS | check shop/db",
    "4 | shop/cache | shop/db-0 of shop/db sends no mTLS | check shop/cache",
    "0 | shop/far | bank/teller sends no mTLS | check shop/far",
    "0 | shop/naked | shop/cron has no proxy; shop/web-0 of shop/web sends no mTLS | check shop/naked",
    "0 | shop/outside | 10.0.0.9 calls it without mTLS | check shop/outside",
    "0 | shop/bare | it has no proxy that could tell who calls | check shop/bare",
    "0 | shop/unknown | proxy/shop/unknown-0 is silent (late); it is younger than the look-back | check shop/unknown",
    "0 | shop/off | it takes no mTLS | permissive shop/off --until 30d --owner NAME",
    "0 | shop/strict | - | ",
  ]);
});

test("who waits for each other goes together", () => {
  const [a, b, c] = planFlips([
    calledBy("a", meshed("b")),
    calledBy("b", meshed("a")),
    calledBy("c", meshed("a")),
  ]);
  assert.deepEqual([a?.order, b?.order, c?.order], [2, 2, 2]);
});

test("everybody is planned once, whoever calls whom, and after those of the namespace that it waits for", () => {
  const name = fc.constantFrom("a", "b", "c", "d", "e");
  const target = fc.record({
    name,
    mode: fc.constantFrom("permissive", "permissive", "mixed", "strict", "disable"),
    verdict: fc.constantFrom("safe", "unsafe", "unsafe", "unknown"),
    callers: fc.uniqueArray(
      fc.record({ name, isMeshed: fc.constantFrom(true, true, false, undefined) }),
      {
        minLength: 1,
        maxLength: 3,
        selector: (each) => each.name,
      },
    ),
  });
  fc.assert(
    fc.property(fc.uniqueArray(target, { selector: (each) => each.name }), (all) => {
      const targets = all.map(({ name: each, callers, ...more }) =>
        targetOf(each, {
          ...more,
          callers:
            more.verdict === "unsafe"
              ? callers.map((caller) => ({ ...caller, name: `shop/${caller.name}-1` }))
              : [],
          silent:
            more.verdict === "unknown" ? [{ name: `proxy/shop/${each}-0`, reason: "gap" }] : [],
        }),
      );
      const plan = planFlips(targets);
      assert.deepEqual(
        plan.map((each) => each.target).toSorted(),
        targets.map((each) => each.target).toSorted(),
      );
      const orders = plan.map(({ order }) => order);
      assert.deepEqual(orders, [
        ...orders.filter((order) => order > 0).toSorted((a, b) => a - b),
        ...orders.filter((order) => order === 0),
      ]);
      for (const { target: text, order, waitsFor } of plan) {
        const of = targets.find((each) => each.target === text);
        const isMoving = of?.mode === "permissive" || of?.mode === "mixed";
        assert.equal(order === 1, isMoving && of?.verdict === "safe");
        assert.equal(waitsFor.length === 0, order === 1 || of?.mode === "strict");
        if (order > 1) assert.ok(of?.callers.every(({ isMeshed }) => isMeshed));
      }
    }),
  );
});
