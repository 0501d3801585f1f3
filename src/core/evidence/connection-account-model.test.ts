/** The account against an Envoy of which all is known, whatever it does, and however late or not at all it tells of it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  CountedEnvoy,
  envoyBornMs,
  lostOf,
  type Absence,
  type Call,
} from "../../../test/support/counted-envoy.ts";
import { isMeshedChain, isPlainChain, noChain } from "./chain-names.ts";

/** Of the first connection. */
const startMs = envoyBornMs + 10_000;
const lastMs = startMs + 40_000;
const seconds = 20;
const chainNames = ["plaintext-tcp", "passthrough", "mtls-tcp", "mtls-any", noChain];

/** Half of them hit a flush. */
const moment = fc.oneof(
  fc.integer({ min: 0, max: seconds * 1_000 }),
  fc
    .tuple(fc.integer({ min: 1, max: seconds }), fc.integer({ min: -60, max: 60 }))
    .map(([second, off]) => second * 1_000 + off),
);

const call = (isLossy: boolean): fc.Arbitrary<Omit<Call, "id">> =>
  fc
    .record({
      chain: fc.constantFrom(...chainNames),
      fromMs: moment.map((ms) => startMs + ms),
      forMs: fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 8_000 })),
      isBeginTold: fc.boolean(),
      beginDelayMs: fc.nat({ max: 30 }),
      isEndLost: isLossy ? fc.constantFrom(false, false, true) : fc.constant(false),
      endDelayMs: fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 900 })),
      lagMs: fc.constantFrom(0, 0, 0, 3),
    })
    .map(({ chain, fromMs, forMs, isBeginTold, beginDelayMs, isEndLost, endDelayMs, lagMs }) => {
      const toMs = fromMs + forMs;
      const isTold = isBeginTold && isPlainChain(chain) && forMs > beginDelayMs;
      const beginToldMs = isTold ? fromMs + beginDelayMs : undefined;
      const endToldMs = isEndLost ? undefined : toMs + endDelayMs;
      return { chain, fromMs, toMs, lagMs, beginToldMs, endToldMs };
    });

const calls = (isLossy: boolean): fc.Arbitrary<Call[]> =>
  fc
    .array(call(isLossy), { maxLength: 12 })
    .map((all) => all.map((each, at) => ({ ...each, id: each.chain === noChain ? "" : `${at}` })));

const absences: fc.Arbitrary<Absence[]> = fc.array(
  fc
    .record({
      chains: fc.constantFrom(["plaintext-tcp", "passthrough"], ["mtls-any"]),
      fromMs: fc.integer({ min: 2_000, max: 13_000 }).map((ms) => startMs + ms),
      forMs: fc.integer({ min: 100, max: 5_000 }),
    })
    .map(({ chains, fromMs, forMs }) => ({ chains, fromMs, toMs: fromMs + forMs })),
  { maxLength: 2 },
);

/** Connections of a chain that goes end with it; none begins while it is away. */
function without(all: readonly Call[], gone: readonly Absence[]): Call[] {
  return all.flatMap((one) => {
    const mine = gone.filter(({ chains }) => chains.includes(one.chain));
    if (mine.some(({ fromMs, toMs }) => one.fromMs >= fromMs && one.fromMs < toMs)) return [];
    const cuts = mine.map(({ fromMs }) => fromMs).filter((ms) => one.fromMs < ms && one.toMs > ms);
    if (cuts.length === 0) return one;
    const toMs = Math.min(...cuts);
    const endToldMs = one.endToldMs === undefined ? undefined : toMs + 5;
    return { ...one, toMs, endToldMs, lagMs: 0 };
  });
}

/** What nobody has told of when it began, or when it ended. */
function unknownOf(all: readonly Call[]): Call[] {
  return lostCalls(all).filter(({ beginToldMs }) => beginToldMs === undefined);
}

function lostCalls(all: readonly Call[]): Call[] {
  return all.filter(({ endToldMs }) => endToldMs === undefined);
}

function isMeshed({ chain }: Call): boolean {
  return isMeshedChain(chain);
}

describe("the account of an Envoy", () => {
  it("has nothing lost where all was told, whenever it begins, and whatever chains come and go", () => {
    const begin = fc.integer({ min: 0, max: 9_999 });
    fc.assert(
      fc.property(calls(false), absences, begin, (all, gone, beginMs) => {
        const envoy = new CountedEnvoy(without(all, gone), gone);
        const { rows } = envoy.run({ firstMs: startMs + beginMs, lastMs });
        assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
      }),
      { numRuns: 3_000 },
    );
  });

  it("tells of no more than was lost, and in the end of all, by class", () => {
    fc.assert(
      fc.property(calls(true), (all) => {
        const lost = lostCalls(all);
        const onTake: Parameters<CountedEnvoy["run"]>[0]["onTake"] = (rows, nowMs) => {
          const ended = lost.filter(({ toMs }) => toMs <= nowMs);
          const { unmeshed, meshed } = lostOf(rows);
          assert.ok(meshed <= ended.filter(isMeshed).length);
          assert.ok(unmeshed <= ended.length - ended.filter(isMeshed).length);
        };
        const { rows } = new CountedEnvoy(all).run({ firstMs: startMs - 3_000, lastMs, onTake });
        const unknown = unknownOf(all).filter((each) => !isMeshed(each));
        assert.equal(lostOf(rows).meshed, lost.filter(isMeshed).length);
        assert.ok(lostOf(rows).unmeshed >= unknown.length);
      }),
      { numRuns: 3_000 },
    );
  });

  it("forgets no loss when a chain goes with its counter", () => {
    fc.assert(
      fc.property(calls(true), absences, (each, gone) => {
        const all = without(each, gone);
        const lost = lostCalls(all);
        const envoy = new CountedEnvoy(all, gone);
        const { unmeshed, meshed } = lostOf(envoy.run({ firstMs: startMs - 3_000, lastMs }).rows);
        const unknown = unknownOf(all);
        assert.ok(meshed <= lost.filter(isMeshed).length);
        assert.ok(unmeshed + meshed >= unknown.length && unmeshed + meshed <= lost.length);
        assert.ok(unmeshed >= unknown.filter((one) => !isMeshed(one)).length);
      }),
      { numRuns: 3_000 },
    );
  });

  const setMs = fc.constantFrom(-3_600_000, -5_000, -700, -30, 30, 700, 5_000, 3_600_000);

  it("has nothing lost where the clock was set and all was told, whenever it begins", () => {
    const begin = fc.integer({ min: 0, max: 9_999 });
    // Less than a second, in the first second, is not noticed.
    const setMs = fc.constantFrom(-3_600_000, -5_000, -30, 30, 5_000, 3_600_000);
    fc.assert(
      fc.property(calls(false), setMs, moment, begin, (all, byMs, atMs, beginMs) => {
        const clock = (ms: number): number => (ms < startMs + atMs ? ms : ms + byMs);
        const { rows } = new CountedEnvoy(all).run({ firstMs: startMs + beginMs, lastMs, clock });
        assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
      }),
      { numRuns: 3_000 },
    );
  });

  it("forgets no loss when the clock is set", () => {
    fc.assert(
      fc.property(calls(true), setMs, moment, (all, byMs, atMs) => {
        const clock = (ms: number): number => (ms < startMs + atMs ? ms : ms + byMs);
        const { rows } = new CountedEnvoy(all).run({ firstMs: startMs - 3_000, lastMs, clock });
        const { unmeshed, meshed } = lostOf(rows);
        const [lost, unknown] = [lostCalls(all), unknownOf(all)];
        assert.ok(meshed >= lost.filter(isMeshed).length);
        assert.ok(unmeshed + meshed >= unknown.length && unmeshed + meshed <= lost.length);
        assert.equal(rows.at(-1)?.untilMs, clock(lastMs));
      }),
      { numRuns: 3_000 },
    );
  });

  it("covers all time from its begin on, without a hole", () => {
    fc.assert(
      fc.property(calls(true), (all) => {
        const firstMs = startMs + 5_000;
        const { rows } = new CountedEnvoy(all).run({ firstMs, lastMs });
        let [untilMs = 0, ended] = [rows[0]?.sinceMs, rows[0]?.endedAtSince];
        assert.ok(untilMs === envoyBornMs || untilMs >= firstMs);
        for (const row of rows) {
          assert.deepEqual([row.sinceMs, row.endedAtSince], [untilMs, ended]);
          assert.ok(row.untilMs > row.sinceMs);
          [untilMs, ended] = [row.untilMs, row.endedAtUntil];
        }
        assert.equal(untilMs, lastMs);
      }),
    );
  });

  it("counts each connection that it is told of once", () => {
    fc.assert(
      fc.property(calls(false), (all) => {
        assert.equal(new CountedEnvoy(all).run({ firstMs: startMs, lastMs }).count, all.length);
      }),
    );
  });

  it("knows how many open ones nobody has named", () => {
    fc.assert(
      fc.property(calls(false), fc.integer({ min: 6, max: 15 }), (all, second) => {
        const atMs = startMs + second * 1_000;
        const isOpen = ({ fromMs, toMs }: Call): boolean =>
          fromMs < atMs - 3_100 && toMs > atMs + 100;
        const isElsewhere = ({ fromMs, toMs }: Call): boolean =>
          toMs < atMs - 4_100 || fromMs > atMs + 100;
        const some = all.filter((each) => isOpen(each) || isElsewhere(each));
        const { rows } = new CountedEnvoy(some).run({ firstMs: startMs, lastMs: atMs });
        const unnamed = some.filter(
          (each) => isOpen(each) && isPlainChain(each.chain) && each.beginToldMs === undefined,
        );
        assert.equal(rows.at(-1)?.openUnnamed, unnamed.length);
      }),
      { numRuns: 1_000 },
    );
  });
});
