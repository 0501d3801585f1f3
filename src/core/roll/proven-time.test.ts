import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { agentsTimeMs, gateTimeMs, proveTime, type AgentClock } from "./proven-time.ts";

const baseMs = 1_790_000_000_000;
const minuteMs = 60_000;
const known = { provenMs: baseMs, monotonicMs: 5_000 };

/** Of one identity each, by how far they are behind the server. */
const behind = (...skews: readonly (number | undefined)[]): readonly AgentClock[] =>
  skews.map((skewMs, index) => ({ spiffeId: `spiffe://td/${index}`, skewMs }));

describe("the time of a gate", () => {
  // All in minutes after the newest time that was good.
  const table: readonly (readonly [
    title: string,
    wall: number,
    gone: number,
    agents: number | undefined,
    expected: number,
  ])[] = [
    ["is the wall clock's where nobody knows better", 1, 1, undefined, 1],
    ["stays behind a wall clock that nobody confirms", 40, 1, undefined, 1],
    ["goes on while the server runs", 40, 10, undefined, 10],
    ["is the wall clock's when agents say the same", 40, 1, 40, 40],
    ["is the agents' when they are behind the wall clock", 40, 1, 30, 30],
    ["does not go back for agents whose clocks are behind", 40, 10, 5, 10],
    ["is never later than the wall clock, whatever agents say", 40, 1, 400, 40],
    ["is never later than the wall clock, whatever has gone by", 10, 30, undefined, 10],
  ];
  for (const [title, wall, gone, agents, expected] of table) {
    it(title, () => {
      const wallMs = baseMs + wall * minuteMs;
      const reading = { wallMs, monotonicMs: 5_000 + gone * minuteMs };
      const agentsMs = agents === undefined ? undefined : baseMs + agents * minuteMs;
      const next = proveTime(known, reading, agentsMs);
      assert.equal(gateTimeMs(next, wallMs), baseMs + expected * minuteMs);
    });
  }

  it("keeps what agents have proved when they are gone", () => {
    const wallMs = baseMs + 40 * minuteMs;
    const proved = proveTime(known, { wallMs, monotonicMs: 6_000 }, wallMs);
    const later = { wallMs: wallMs + minuteMs, monotonicMs: 6_000 + minuteMs };
    assert.equal(proveTime(proved, later, undefined).provenMs, later.wallMs);
  });

  it("never goes back, and is never ahead of both the clock that ran and the wall clock", () => {
    const step = fc.record({
      wallMs: fc.integer({ min: -1e9, max: 1e9 }).map((ms) => baseMs + ms),
      goneMs: fc.nat({ max: 1e8 }),
      agentsMs: fc.option(fc.integer({ min: -1e9, max: 1e9 }).map((ms) => baseMs + ms)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let time = known;
        for (const { wallMs, goneMs, agentsMs } of steps) {
          const reading = { wallMs, monotonicMs: time.monotonicMs + goneMs };
          const next = proveTime(time, reading, agentsMs ?? undefined);
          assert.ok(next.provenMs >= time.provenMs + goneMs);
          assert.ok(next.provenMs <= Math.max(time.provenMs + goneMs, wallMs));
          assert.ok(gateTimeMs(next, wallMs) <= wallMs);
          time = next;
        }
      }),
    );
  });
});

describe("the agents' time", () => {
  const table: readonly (readonly [string, readonly AgentClock[], number | undefined])[] = [
    ["is none where nobody is connected", [], undefined],
    ["is none of agents that say no time", behind(undefined, undefined), undefined],
    ["is that of one", behind(7), -7],
    ["is the earlier of two", behind(0, 7), -7],
    ["is that of most, where one is ahead", behind(40, 41, -1e9), -40],
    ["is that of most, where one is far behind", behind(0, 1, 1e9), -1],
    [
      "is the same however many agents of one identity lie",
      [
        ...behind(40, 40),
        ...Array.from({ length: 9 }, () => ({ spiffeId: "spiffe://td/liar", skewMs: 0 })),
      ],
      -40,
    ],
    [
      "is that of most nodes, where all have one identity",
      [1, 1, 1e9].map((skewMs) => ({ spiffeId: "spiffe://td/node", skewMs })),
      -1,
    ],
  ];
  for (const [title, clocks, expected] of table) {
    it(title, () => {
      const wanted = expected === undefined ? undefined : baseMs + expected;
      assert.equal(agentsTimeMs(clocks, baseMs), wanted);
    });
  }

  it("has been reached by at least half of the identities", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1 }), (skews) => {
        const time = agentsTimeMs(behind(...skews), baseMs) ?? Number.NaN;
        const reached = skews.filter((skewMs) => baseMs - skewMs >= time).length;
        assert.ok(reached * 2 >= skews.length);
      }),
    );
  });
});
