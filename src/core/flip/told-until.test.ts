/** For whose evidence a flip waits before its first stage and at the end of its window, and whom it says nothing of. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  allOpen,
  firstStage,
  flipOf,
  memberOf,
  viewOf,
  withAll,
  withFirst,
  withLast,
} from "../../../test/support/flips.ts";
import { nextFlip } from "./flip-machine.ts";
import type { FlipView } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";
import type { Flip } from "./flip.ts";

const waits = (flip: Flip, view: FlipView, nowMs = 30_000): readonly string[] =>
  waitsFor(flip, view, nowMs).map(({ kind, name }) => `${kind} ${name}`.trim());

const ordered: readonly (readonly [
  title: string,
  view: Partial<FlipView>,
  waits: readonly string[],
])[] = [
  [
    "evidence of before the order",
    { workloads: withFirst({ evidenceUntilMs: 1_999 }) },
    ["evidence shop/api-a"],
  ],
  [
    "evidence that never came",
    { workloads: withFirst({ evidenceUntilMs: undefined }) },
    ["evidence shop/api-a"],
  ],
  [
    "an agent that is away, however new its evidence is",
    { workloads: withFirst({ isConnected: false }) },
    ["proxy shop/api-a"],
  ],
  ["evidence.db, which cannot be asked", { evidence: "blind" }, ["evidence shop/api"]],
  [
    "nobody, where all have told since the order",
    { workloads: withAll({ evidenceUntilMs: 2_000 }) },
    [],
  ],
  [
    "nobody, where a waiver names the silence",
    { workloads: withFirst({ isConnected: false, evidenceUntilMs: undefined, isWaived: true }) },
    [],
  ],
  [
    "nobody, where no proxy is",
    { workloads: withFirst({ isConnected: false, evidenceUntilMs: undefined, stage: "no-proxy" }) },
    [],
  ],
];

describe("the first stage waits for", () => {
  for (const [title, more, expected] of ordered) {
    test(title, () => {
      assert.deepEqual(waits(flipOf(), viewOf(more)), expected);
      const next = nextFlip(flipOf(), viewOf(more), 30_000);
      assert.equal(next?.opened.length, expected.length === 0 ? 1 : undefined);
    });
  }
});

test("a verdict that has become safe opens a stage on evidence that is hardly older than it", () => {
  const told = (evidenceUntilMs: number) =>
    viewOf({ workloads: withFirst({ evidenceUntilMs }), safeSinceMs: 900_000 });
  assert.deepEqual(waits(flipOf(), told(897_999), 900_000), ["evidence shop/api-a"]);
  assert.deepEqual(waits(flipOf(), told(898_000), 900_000), []);
  // By an agent's clock that is behind, it takes as much longer, and no more.
  assert.deepEqual(waits(flipOf(), told(898_000), 960_000), []);
});

test("a further stage does not open over a gap, and says so", () => {
  const gap = { evidenceUntilMs: 10_999, hasGap: true };
  for (const [workloads, expected] of [
    [withFirst(gap), /since it is strict/],
    [withLast(gap), /mtls check names it/],
  ] as const) {
    const view = viewOf({ workloads });
    assert.equal(nextFlip(firstStage(), view, 61_000), undefined);
    const [wait] = waitsFor(firstStage(), view, 61_000);
    assert.equal(wait?.kind, "evidence");
    assert.match(wait?.detail ?? "", expected);
  }
  const waived = viewOf({ workloads: withFirst({ ...gap, isWaived: true }) });
  assert.equal(nextFlip(firstStage(), waived, 61_000)?.opened.length, 2);
});

describe("a flip that has been watched for its window", () => {
  const late = withFirst({ evidenceUntilMs: 619_999 });
  const table: readonly (readonly [
    title: string,
    view: Partial<FlipView>,
    atMs: number,
    unseen: readonly string[] | undefined,
  ])[] = [
    ["is done when all have told of it", {}, 620_000, []],
    ["waits for whoever has not", { workloads: late }, 679_999, undefined],
    ["waits without end for nobody, and says who has not", { workloads: late }, 680_000, ["a"]],
    [
      "says it of who is away and of who is waived, too",
      {
        workloads: [
          memberOf("shop/api-a", { evidenceUntilMs: undefined, isConnected: false }),
          memberOf("shop/api-b", { evidenceUntilMs: 7, isWaived: true, stage: "silent" }),
          memberOf("shop/api-c"),
          memberOf("shop/api-d", { evidenceUntilMs: undefined, stage: "no-proxy" }),
        ],
      },
      680_000,
      ["a", "b"],
    ],
    [
      "waits for who is away",
      { workloads: withFirst({ evidenceUntilMs: 600_000, isConnected: false }) },
      625_000,
      undefined,
    ],
    [
      "waits as long for agents that come back after a server's start",
      { workloads: late, lookedSinceMs: 900_000 },
      959_999,
      undefined,
    ],
    [
      "waits as long, and no longer, after a server's start",
      { workloads: late, lookedSinceMs: 900_000 },
      960_000,
      ["a"],
    ],
    [
      "names who has a gap in it, or has lost whom it has seen",
      {
        workloads: [
          memberOf("shop/api-a", { evidenceUntilMs: 600_000, hasGap: true }),
          memberOf("shop/api-b", { lost: 540 }),
          memberOf("shop/api-c"),
        ],
      },
      680_000,
      ["a", "b"],
    ],
    ["is not done while nobody can be asked", { evidence: "blind" }, 679_999, undefined],
    [
      "is done without having been seen where nobody can be asked for long",
      { evidence: "blind", workloads: withAll({ evidenceUntilMs: 619_999 }) },
      680_000,
      ["a", "b", "c", "d", "e"],
    ],
  ];
  for (const [title, more, atMs, unseen] of table) {
    test(title, () => {
      const watching = allOpen();
      assert.deepEqual(watching.state, { kind: "watching", sinceMs: 20_000 });
      const done = nextFlip(watching, viewOf(more), atMs);
      const state = done && "unseen" in done.state ? done.state : undefined;
      assert.deepEqual(
        state?.unseen.map((each) => each.slice(-1)),
        unseen,
      );
      assert.equal(waits(watching, viewOf(more), atMs).length > 0, unseen === undefined);
    });
  }

  test("is told of blindness before, too, and not taken back by it", () => {
    const blind = viewOf({ evidence: "blind", verdict: { kind: "unknown", names: [] } });
    assert.deepEqual(waits(allOpen(), blind, 600_000), ["evidence shop/api", "window"]);
    assert.equal(nextFlip(allOpen(), blind, 600_000), undefined);
  });
});
