import assert from "node:assert/strict";
import { test } from "node:test";
import type { CountedCoverage } from "../../../core/evidence/port-account.ts";
import { ResumedLife } from "./resumed-life.ts";

const port = { port: 80, untilMs: 200_000, ended: 7, endedMeshed: 20 };
const acknowledged = { epochMs: 100_000, ports: [port] };
const span: CountedCoverage = {
  port: 80,
  sinceMs: 210_000,
  untilMs: 220_000,
  lostUnmeshed: 1,
  lostMeshed: 2,
  openUnnamed: 3,
  endedAtSince: 7,
  endedAtUntil: 9,
  meshedAtSince: 20,
  meshedAtUntil: 30,
};

interface Case {
  readonly span?: Partial<CountedCoverage>;
  readonly epochMs?: number;
  readonly goesOn: Partial<CountedCoverage>;
}

const cases: Readonly<Record<string, Case>> = {
  "is no gap where Envoy has counted nothing meanwhile": { goesOn: { sinceMs: 200_000 } },
  "has lost what Envoy has counted meanwhile": {
    span: { endedAtSince: 12 },
    goesOn: { sinceMs: 200_000, endedAtSince: 7, lostUnmeshed: 6 },
  },
  "has lost calls with mTLS, too": {
    span: { meshedAtSince: 25 },
    goesOn: { sinceMs: 200_000, lostMeshed: 7, meshedAtSince: 20 },
  },
  "has lost calls with mTLS also where there was no other call ever": {
    span: { sinceMs: 100_000, meshedAtSince: 25 },
    goesOn: { lostMeshed: 7 },
  },
  "has lost what Envoy has counted meanwhile, too, where the clock was set back over it": {
    span: { sinceMs: 190_000, endedAtSince: 12 },
    goesOn: { lostUnmeshed: 6 },
  },
  "is a gap where a counter has begun anew": { span: { endedAtSince: 6 }, goesOn: {} },
  "is a gap where it is another life": { epochMs: 102_001, goesOn: {} },
  "is a gap on another port": { span: { port: 90 }, goesOn: {} },
  "is what it is where it covers the time by itself": { span: { sinceMs: 100_000 }, goesOn: {} },
};

for (const [title, { span: some, epochMs = 100_900, goesOn }] of Object.entries(cases)) {
  test(`a restart of the agent ${title}`, () => {
    const now = { ...span, ...some };
    const life = new ResumedLife(acknowledged).goOn({ epochMs, coverage: [now] });
    assert.deepEqual(life.coverage, [{ ...now, ...goesOn }]);
    assert.equal(life.epochMs, epochMs === 100_900 ? 100_000 : epochMs, "a life has one beginning");
  });
}

test("a restart of the agent is gone over once", () => {
  const resumed = new ResumedLife(acknowledged);
  resumed.goOn({ epochMs: 100_000, coverage: [span] });
  const later = { ...span, sinceMs: 220_000, untilMs: 230_000, endedAtSince: 9, meshedAtSince: 30 };
  assert.deepEqual(resumed.goOn({ epochMs: 100_900, coverage: [later] }), {
    epochMs: 100_000,
    coverage: [later],
  });
});

for (const [what, byMs, sinceMs] of [
  ["forward: its time is a gap", 2_001, 210_000],
  ["forward by no more than clocks are kept right by: it goes on", 2_000, 200_000],
  ["back: it goes on", -600_000, 200_000],
] as const) {
  test(`a restart of the agent during which the clock was set ${what}`, () => {
    const resumed = new ResumedLife({ ...acknowledged, offsetMs: 5_000 });
    const { coverage } = resumed.goOn({ epochMs: 100_000, coverage: [span] }, 5_000 + byMs);
    assert.deepEqual(
      coverage.map((each) => each.sinceMs),
      [sinceMs],
    );
  });
}
