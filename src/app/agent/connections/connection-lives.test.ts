import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CountedCoverage } from "../../../core/evidence/port-account.ts";
import { ConnectionLives, type CoveredLife } from "./connection-lives.ts";

const span: fc.Arbitrary<CountedCoverage> = fc
  .record({
    port: fc.constantFrom(80, 90),
    sinceMs: fc.nat({ max: 20 }),
    lastsMs: fc.integer({ min: 1, max: 5 }),
    lostUnmeshed: fc.nat({ max: 2 }),
    lostMeshed: fc.nat({ max: 2 }),
    openUnnamed: fc.nat({ max: 2 }),
  })
  .map(({ lastsMs, ...rest }) => {
    const untilMs = rest.sinceMs + lastsMs;
    const ended = { endedAtSince: rest.sinceMs, endedAtUntil: untilMs };
    return { ...rest, untilMs, ...ended, meshedAtSince: rest.sinceMs, meshedAtUntil: untilMs };
  });
const life: fc.Arbitrary<CoveredLife> = fc.record({
  epochMs: fc.constantFrom(1, 2),
  coverage: fc.array(span, { maxLength: 3 }),
});

test("joins what touches, and covers no moment that nobody answers for", () => {
  fc.assert(
    fc.property(fc.array(life), (all) => {
      const lives = new ConnectionLives();
      for (const each of all) lives.add(each);
      const taken = lives.take();
      assert.deepEqual(covered(taken), covered(all));
      assert.deepEqual(lost(taken), lost(all));
      for (const { coverage } of taken) {
        for (const [at, { port, sinceMs }] of coverage.entries()) {
          const before = coverage[at - 1];
          if (before?.port === port) assert.ok(before.untilMs < sinceMs);
        }
      }
      assert.deepEqual(lives.take(), []);
    }),
  );
});

test("keeps the ends of what it joins, and what is open at the last", () => {
  const lives = new ConnectionLives();
  const counts = { lostUnmeshed: 0, lostMeshed: 0, meshedAtSince: 0, meshedAtUntil: 0 };
  const first = { port: 80, ...counts, openUnnamed: 3, openMeshed: 4 };
  const spans = [
    {
      ...first,
      sinceMs: 10,
      untilMs: 20,
      endedAtSince: 1,
      endedAtUntil: 2,
      openUnnamed: 1,
      openMeshed: 2,
    },
    { ...first, sinceMs: 5, untilMs: 10, endedAtSince: 0, endedAtUntil: 1 },
  ];
  lives.add({ epochMs: 1, coverage: spans });
  assert.deepEqual(lives.take()[0]?.coverage, [
    {
      ...first,
      sinceMs: 5,
      untilMs: 20,
      endedAtSince: 0,
      endedAtUntil: 2,
      openUnnamed: 1,
      openMeshed: 2,
    },
  ]);
});

test("keeps the newest, however many lives an Envoy has, and holes a life", () => {
  const lives = new ConnectionLives();
  for (let at = 1; at <= 100; at++) {
    const coverage = Array.from({ length: 100 }, (_, number) => spanAt(number * 10));
    lives.add({ epochMs: at, coverage });
  }
  const taken = lives.take();
  assert.deepEqual([taken.length, taken.at(-1)?.epochMs], [32, 100]);
  assert.deepEqual([taken[0]?.coverage.length, taken[0]?.coverage.at(-1)?.sinceMs], [32, 990]);
});

test("keeps no more of all ports of an Envoy than there is room for, and of each port the newest", () => {
  const lives = new ConnectionLives();
  for (const epochMs of [1, 2, 3]) {
    const all = Array.from({ length: 100 * 512 }, (_, at) => spanAt(at * 10));
    const coverage = all.map((each, at) => ({ ...each, port: 1 + (at % 512) }));
    lives.add({ epochMs, coverage });
  }
  const [life, ...more] = lives.take();
  assert.deepEqual([life?.epochMs, more.length], [3, 0]);
  const ports = Map.groupBy(life?.coverage ?? [], ({ port }) => port);
  assert.equal(ports.size, 512);
  for (const [port, spans] of ports) {
    assert.deepEqual([spans.length, spans.at(-1)?.sinceMs], [8, (99 * 512 + port - 1) * 10]);
  }
});

function spanAt(sinceMs: number): CountedCoverage {
  const none = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
  const ended = { endedAtSince: 0, endedAtUntil: 0, meshedAtSince: 0, meshedAtUntil: 0 };
  return { port: 80, sinceMs, untilMs: sinceMs + 1, ...none, ...ended };
}

/** Each millisecond, by life and port. */
function covered(lives: readonly CoveredLife[]): string[] {
  const moments = new Set<string>();
  for (const { epochMs, coverage } of lives) {
    for (const { port, sinceMs, untilMs } of coverage) {
      for (let ms = sinceMs; ms < untilMs; ms++) moments.add(`${epochMs} ${port} ${ms}`);
    }
  }
  return [...moments].toSorted();
}

function lost(lives: readonly CoveredLife[]): readonly [unmeshed: number, meshed: number] {
  const all = lives.flatMap(({ coverage }) => coverage);
  return [
    all.reduce((sum, { lostUnmeshed }) => sum + lostUnmeshed, 0),
    all.reduce((sum, { lostMeshed }) => sum + lostMeshed, 0),
  ];
}
