/** Until when a proxy has told: time that it does not cover is not told by what comes after it. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemberSpan } from "../evidence/member.ts";
import { toldSpan } from "./told-span.ts";

const span = (sinceMs: number, untilMs: number, more: Partial<MemberSpan> = {}): MemberSpan => ({
  member: "k",
  epochMs: -1_000_000,
  port: 80,
  sinceMs,
  untilMs,
  lostUnmeshed: 0,
  lostMeshed: 0,
  openUnnamed: 0,
  ...more,
});

const table: readonly (readonly [
  title: string,
  spans: readonly MemberSpan[],
  told: readonly [untilMs: number | undefined, hasGap: boolean],
])[] = [
  ["as far as it has told", [span(0, 90_000)], [90_000, false]],
  ["up to a gap", [span(0, 78_000), span(97_000, 100_000)], [78_000, true]],
  ["up to what is asked for, in a gap", [span(0, 50_000), span(97_000, 100_000)], [70_000, true]],
  ["over a gap that is not asked for", [span(0, 50_000), span(69_000, 100_000)], [100_000, false]],
  [
    "up to a gap that a moment does not fill",
    [span(0, 80_000), span(85_000, 85_000, { epochMs: 85_000 }), span(88_000, 99_000)],
    [80_000, true],
  ],
  [
    "over a restart of its Envoy",
    [span(0, 80_000), span(84_000, 99_000, { epochMs: 84_000 })],
    [99_000, false],
  ],
  [
    "as far as the port that has told least",
    [span(0, 99_000), span(0, 75_000, { port: 81 })],
    [75_000, false],
  ],
  [
    "of a port that came since, as of the others",
    [span(0, 99_000), span(85_000, 99_000, { port: 81 })],
    [99_000, false],
  ],
  ["nothing in a moment", [span(90_000, 90_000)], [undefined, false]],
];

describe("a proxy has told", () => {
  for (const [title, spans, told] of table) {
    test(title, () => {
      const member = { bornMs: 0, ports: undefined };
      const { untilMs, hasGap } = toldSpan(member, spans, { fromMs: 70_000, toMs: Infinity });
      assert.deepEqual([untilMs, hasGap], told);
    });
  }
});

test("what was before a proxy was there is no gap", () => {
  const spans = [span(85_000, 99_000, { epochMs: 80_000 })];
  const asked = { fromMs: 70_000, toMs: Infinity };
  assert.deepEqual(toldSpan({ bornMs: 80_000 }, spans, asked).untilMs, 99_000);
  assert.deepEqual(toldSpan({ bornMs: 0 }, spans, asked).untilMs, 70_000);
});

test("what is lost counts within the time that is asked for", () => {
  const lost = [
    span(0, 70_000, { lostMeshed: 1 }),
    span(70_000, 80_000, { lostMeshed: 20 }),
    span(80_000, 90_000, { lostUnmeshed: 300 }),
    span(90_000, 99_000, { lostUnmeshed: 4_000 }),
  ];
  assert.equal(toldSpan({ bornMs: 0 }, lost, { fromMs: 70_000, toMs: 90_000 }).lost, 320);
});
