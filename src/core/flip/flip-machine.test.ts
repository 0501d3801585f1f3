import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  allOpen,
  failedOf,
  firstStage,
  flipOf,
  flipWorkloads,
  memberOf,
  refusedOf,
  settleFlip,
  viewOf,
  withAll,
  withFirst,
  withLast,
} from "../../../test/support/flips.ts";
import { isRefusal } from "./flip-error.ts";
import { heldBack, holdOf } from "./flip-hold.ts";
import { revertCause } from "./flip-causes.ts";
import { nextFlip, revertFlip } from "./flip-machine.ts";
import type { FlipView, RefusedCall } from "./flip-view.ts";
import { waitsFor } from "./flip-waits.ts";
import { parseStages } from "./stages.ts";
import type { Flip } from "./flip.ts";

const waits = (flip: Flip, view: FlipView, nowMs = 30_000): readonly string[] =>
  waitsFor(flip, view, nowMs).map(({ kind, name }) => `${kind} ${name}`.trim());

const strictOf = (flip: Flip): readonly string[] =>
  flipWorkloads.filter((each) => !heldBack(flip, each, 8080)).map((each) => each.slice(-1));

test("a flip whose object is written goes stage by stage, watches and is done", () => {
  let flip = flipOf();
  const seen: string[] = [];
  for (let nowMs = 2_000; nowMs < 1_000_000; nowMs += 1_500) {
    const next = nextFlip(flip, viewOf(), nowMs);
    if (next === undefined) continue;
    flip = next;
    seen.push(
      `${flip.state.kind} ${strictOf(flip).join("")} ${flip.opened.at(-1)?.inForceMs === undefined ? "" : "in force"}`.trim(),
    );
  }
  assert.deepEqual(seen, [
    "stage a",
    "stage a in force",
    "stage ab",
    "stage ab in force",
    "stage abcde",
    "stage abcde in force",
    "watching abcde in force",
    "done abcde in force",
  ]);
  assert.equal(flip.state.kind, "done");
  const since = flip.opened.at(-1)?.inForceMs ?? 0;
  assert.ok("endedMs" in flip.state && flip.state.endedMs >= since + flip.revertWindowMs);
});

test("nobody is strict before the object is, and before the verdict is SAFE", () => {
  assert.equal(nextFlip(flipOf(), viewOf({ object: "before" }), 2_000), undefined);
  assert.equal(nextFlip(flipOf(), viewOf({ object: "partly" }), 2_000), undefined);
  const unsafe = viewOf({ verdict: { kind: "unsafe", names: ["shop/cron"] } });
  assert.equal(nextFlip(flipOf(), unsafe, 2_000), undefined);
  assert.deepEqual(waits(flipOf(), { ...unsafe, object: "before" }), [
    "object shop/api",
    "verdict shop/cron",
  ]);
  assert.deepEqual(strictOf(flipOf()), []);
});

const held: readonly (readonly [
  title: string,
  view: Partial<FlipView>,
  waits: readonly string[],
])[] = [
  [
    "a proxy that has not acknowledged",
    { workloads: withFirst({ stage: "pushed" }) },
    ["proxy shop/api-a"],
  ],
  ["a proxy that refuses", { workloads: withFirst({ stage: "refused" }) }, ["proxy shop/api-a"]],
  ["a proxy that is silent", { workloads: withFirst({ stage: "silent" }) }, ["proxy shop/api-a"]],
  [
    "plaintext of before",
    { workloads: withFirst({ stage: "draining", draining: 2 }) },
    ["connections shop/api-a"],
  ],
  [
    "evidence of after",
    { workloads: withFirst({ evidenceUntilMs: 10_999 }) },
    ["evidence shop/api-a"],
  ],
  [
    "evidence that never came",
    { workloads: withFirst({ evidenceUntilMs: undefined }) },
    ["evidence shop/api-a"],
  ],
  [
    "evidence of who is held back",
    { workloads: withLast({ evidenceUntilMs: 10_999 }) },
    ["evidence shop/api-e"],
  ],
  [
    "an agent of who is held back",
    { workloads: withLast({ isConnected: false }) },
    ["proxy shop/api-e"],
  ],
  ["evidence.db, which cannot be asked", { evidence: "blind" }, ["evidence shop/api"]],
  [
    "callers",
    { verdict: { kind: "unsafe", names: ["shop/cron", "10.0.0.9"] } },
    ["verdict shop/cron", "verdict 10.0.0.9"],
  ],
  [
    "who is silent",
    { verdict: { kind: "unknown", names: ["proxy/shop/api-d"] } },
    ["verdict proxy/shop/api-d"],
  ],
  [
    "a verdict that names nobody",
    { verdict: { kind: "unknown", names: [] } },
    ["verdict shop/api"],
  ],
  ["the object, which others changed in part", { object: "partly" }, ["object shop/api"]],
  ["whoever is there", { workloads: [memberOf("shop/api-a")] }, ["verdict shop/api"]],
  [
    "nobody, where a waiver names the silence",
    { workloads: withFirst({ stage: "silent", evidenceUntilMs: undefined, isWaived: true }) },
    [],
  ],
  [
    "nobody, where no proxy is",
    { workloads: withFirst({ stage: "no-proxy", evidenceUntilMs: undefined }) },
    [],
  ],
  ["nobody, where the workload is gone", { workloads: withAll({}).slice(1) }, []],
  [
    "callers of those who are gone",
    { workloads: [], verdict: { kind: "unsafe", names: ["shop/cron"] } },
    ["verdict shop/cron"],
  ],
  [
    "nobody, where nobody is left",
    { workloads: [memberOf("shop/api-a")], verdict: { kind: "nobody", names: [] } },
    [],
  ],
];

describe("the second stage waits for", () => {
  for (const [title, more, expected] of held) {
    test(title, () => {
      const flip = firstStage();
      assert.equal(flip.opened[0]?.inForceMs, 10_000);
      const view = viewOf(more);
      assert.deepEqual(waits(flip, view), expected);
      const next = nextFlip(flip, view, 30_000);
      assert.equal(next?.opened.length, expected.length === 0 ? 2 : undefined);
    });
  }
});

test("a stage that would make nobody more strict is passed over", () => {
  const flip = settleFlip(flipOf(), viewOf({ workloads: withAll({}).slice(0, 2) }), 30_000);
  assert.deepEqual(
    flip.opened.map(({ index, workloads }) => [index, workloads]),
    [
      [0, ["shop/api-a"]],
      [2, []],
    ],
  );
});

test("who comes while stages are open is held back until the last one", () => {
  const flip = firstStage();
  assert.ok(heldBack(flip, "shop/api-new", 8080));
  assert.deepEqual([...(holdOf(flip)?.strict ?? [])], ["shop/api-a"]);
  assert.ok(!heldBack(allOpen(), "shop/api-new", 8080));
  assert.equal(holdOf(allOpen()), undefined);
});

test("only the ports of the flip are held back", () => {
  const flip = flipOf({ exceptPorts: [9000] });
  assert.deepEqual(
    [8080, 9000].map((port) => heldBack(flip, "shop/api-a", port)),
    [true, false],
  );
  const one = flipOf({ ports: [9000] });
  assert.deepEqual(
    [8080, 9000].map((port) => heldBack(one, "shop/api-a", port)),
    [false, true],
  );
});

const causes: readonly (readonly [
  title: string,
  refused: readonly RefusedCall[],
  cause: string | undefined,
])[] = [
  ["one caller of the mesh that fails", [failedOf("shop/web")], "meshed-failure shop/web"],
  ["not TLS of a workload's own", [failedOf("shop/web", { kind: "tls" })], undefined],
  [
    "two workloads that are refused",
    [refusedOf("shop/x"), refusedOf("shop/y")],
    "refused shop/x,shop/y",
  ],
  [
    "two whose own TLS is refused",
    [refusedOf("shop/x", { kind: "tls" }), refusedOf("shop/y", { kind: "passthrough" })],
    "refused shop/x,shop/y",
  ],
  [
    "not own TLS that was refused before",
    [
      refusedOf("shop/x", { kind: "tls" }),
      refusedOf("shop/y", { kind: "tls" }),
      refusedOf("shop/y", { kind: "passthrough", firstMs: 500, lastMs: 500 }),
    ],
    undefined,
  ],
  [
    "not one alone, however often",
    [1, 2, 3].map((port) => refusedOf("shop/x", { port })),
    undefined,
  ],
  [
    "not addresses that nobody knows",
    [1, 2, 3].map((port) =>
      refusedOf("", { port, kind: port > 1 ? "plaintext" : "mtls", holder: { kind: "unknown" } }),
    ),
    undefined,
  ],
  ["not its own host", [failedOf("", { holder: { kind: "own", name: "shop/api-a" } })], undefined],
  [
    "not an address of several",
    [failedOf("", { holder: { kind: "several", names: ["a", "b"] } })],
    undefined,
  ],
  ["not a failure of who has no proxy", [refusedOf("shop/x", { kind: "mtls" })], undefined],
  [
    "who failed once before, and no waiver names",
    [
      failedOf("shop/web"),
      failedOf("shop/web", { member: "shop/api-e", firstMs: 500, lastMs: 500 }),
    ],
    "meshed-failure shop/web",
  ],
  [
    "who fails from then on, by a clock that is 2 s behind",
    [failedOf("shop/web", { firstMs: 8_000, lastMs: 8_000 })],
    "meshed-failure shop/web",
  ],
  [
    "not a failure of before, by whatever clock",
    [failedOf("shop/web", { firstMs: 7_999, lastMs: 7_999 })],
    undefined,
  ],
  [
    "not a failure at who is held back",
    [failedOf("shop/web", { member: "shop/api-e" })],
    undefined,
  ],
  [
    "not refusals of before the stage was in force",
    ["shop/x", "shop/y"].map((name) => refusedOf(name, { lastMs: 9_999 })),
    undefined,
  ],
  [
    "not refusals at who is held back",
    ["shop/x", "shop/y"].map((name) => refusedOf(name, { member: "shop/api-e" })),
    undefined,
  ],
];

describe("a stage is taken back by", () => {
  for (const [title, refused, cause] of causes) {
    test(title, () => {
      const flip = nextFlip(
        firstStage(),
        viewOf({ refused, verdict: { kind: "unknown", names: [] } }),
        60_000,
      );
      const state = flip?.state;
      assert.equal(state?.kind, cause === undefined ? undefined : "reverting");
      if (state?.kind !== "reverting" || !("callers" in state.cause)) return;
      assert.equal(`${state.cause.kind} ${state.cause.callers.join()}`, cause);
      assert.deepEqual(flip && strictOf(flip), []);
    });
  }
});

test("a caller whom a waiver names counts for no revert while it counts, and a call of the mesh that fails does", () => {
  const refused = [refusedOf("shop/x"), refusedOf("shop/y")];
  const causeWith = (untilMs: number, calls = refused) => {
    const waivedUntil = new Map([["shop/y", untilMs]]);
    const view = viewOf({ refused: calls, waivedUntil, object: "partly" });
    return nextFlip(firstStage(), view, 60_000)?.state.kind;
  };
  assert.equal(causeWith(50_000), undefined);
  assert.equal(causeWith(49_999), "reverting");
  assert.equal(causeWith(90_000, [...refused, refusedOf("shop/z")]), "reverting");
  assert.equal(causeWith(90_000, [failedOf("shop/y")]), "reverting");
});

test("a caller of the mesh takes nothing back who was waived when the first stage opened, and failed clearly before", () => {
  const causeOf = (firstMs: number, untilMs: number) => {
    const waivedUntil = new Map([["shop/web", untilMs]]);
    return revertCause(firstStage(), { refused: [failedOf("shop/web", { firstMs })], waivedUntil });
  };
  assert.equal(causeOf(4_999, 10_001), undefined);
  assert.equal(causeOf(5_000, 10_001)?.kind, "meshed-failure");
  assert.equal(causeOf(4_999, 10_000)?.kind, "meshed-failure");
});

test("whoever was refused before the stage and after the end only is not one of those within, and one who fails is", () => {
  const [before, after] = [1_000, 650_000];
  const causeOf = (call: ReturnType<typeof refusedOf>) =>
    revertCause(allOpen({ revertOnRefused: 1 }), { refused: [call], waivedUntil: new Map() })?.kind;
  const both = { firstMs: before, lastMs: after };
  assert.equal(causeOf(refusedOf("shop/x", both)), undefined);
  assert.equal(causeOf(refusedOf("shop/x", { ...both, lastMs: 620_000 })), "refused");
  assert.equal(causeOf(refusedOf("shop/x", { ...both, firstMs: 18_000 })), "refused");
  assert.equal(causeOf(failedOf("shop/x", both)), "meshed-failure");
});

test("refused plaintext takes nothing back where that was not asked for", () => {
  const refused = ["a", "b", "c"].map((each) => refusedOf(each));
  const flip = firstStage({ revertOnRefused: undefined });
  assert.equal(nextFlip(flip, viewOf({ refused, object: "partly" }), 60_000), undefined);
});

test("another port of the workload is nothing to the flip", () => {
  const flip = firstStage({ ports: [9000] });
  assert.equal(
    nextFlip(flip, viewOf({ refused: [failedOf("shop/web")], object: "partly" }), 60_000),
    undefined,
  );
});

test("what happens after the window takes nothing back, and late evidence of the window does", () => {
  const watching = allOpen();
  assert.deepEqual(watching.state, { kind: "watching", sinceMs: 20_000 });
  const late = withAll({ evidenceUntilMs: 600_000 });
  const [inTime, after] = [619_000, 621_000].map((firstMs) => [
    failedOf("shop/web", { firstMs, lastMs: 625_000 }),
  ]);
  assert.deepEqual(waits(watching, viewOf({ workloads: late }), 600_000), ["window"]);
  assert.equal(waits(watching, viewOf({ workloads: late }), 625_000).length, 5);
  assert.equal(
    nextFlip(watching, viewOf({ workloads: late, refused: inTime ?? [] }), 625_000)?.state.kind,
    "reverting",
  );
  assert.equal(
    nextFlip(watching, viewOf({ workloads: late, refused: after ?? [] }), 625_000),
    undefined,
  );
  assert.equal(nextFlip(watching, viewOf({ refused: after ?? [] }), 625_000)?.state.kind, "done");
});

describe("a flip that has been watched is not done", () => {
  const detailsAt = (view: FlipView, nowMs: number) =>
    waitsFor(allOpen(), view, nowMs).map(({ kind, name }) => `${kind} ${name}`);

  for (const stage of ["refused", "pushed"] as const) {
    test(`while a proxy is not strict (${stage}), and says so after a minute`, () => {
      const view = viewOf({ workloads: withFirst({ stage }) });
      assert.deepEqual(detailsAt(view, 679_999), ["proxy shop/api-a"]);
      assert.equal(nextFlip(allOpen(), view, 679_999), undefined);
      const late = nextFlip(allOpen(), view, 680_000)?.state;
      assert.deepEqual(late, { kind: "done", endedMs: 680_000, unseen: ["shop/api-a"] });
      assert.equal(nextFlip(allOpen(), { ...view, lookedSinceMs: 900_000 }, 959_999), undefined);
    });
  }

  test("while some of the target is not strict by the objects: it is over after a minute, and was somebody else's", () => {
    const view = viewOf({ object: "partly" });
    assert.deepEqual(detailsAt(view, 600_000), ["object shop/api", "window "]);
    assert.deepEqual(detailsAt(view, 679_999), ["object shop/api"]);
    assert.equal(nextFlip(allOpen(), view, 679_999), undefined);
    const { state } = nextFlip(allOpen(), view, 680_000) ?? allOpen();
    assert.equal(state.kind, "superseded");
    assert.match("why" in state ? state.why : "", /some of the target is not strict/);
    assert.equal(nextFlip(allOpen(), viewOf(), 679_999)?.state.kind, "done");
    assert.equal(nextFlip(firstStage(), view, 900_000), undefined);
  });
});

test("an object that others have changed ends the flip, unless the target is strict all the same", () => {
  for (const flip of [firstStage(), allOpen()]) {
    for (const object of ["other", "before"] as const) {
      assert.equal(nextFlip(flip, viewOf({ object }), 60_000)?.state.kind, "superseded");
    }
    assert.notEqual(nextFlip(flip, viewOf({ object: "partly" }), 60_000)?.state.kind, "superseded");
  }
  assert.equal(nextFlip(flipOf(), viewOf({ object: "other" }), 60_000)?.state.kind, "superseded");
  const theirs = flipOf({ edit: { ...flipOf().edit, isOurs: false } });
  assert.equal(nextFlip(theirs, viewOf({ object: "other" }), 60_000), undefined);
  assert.match(
    waitsFor(theirs, viewOf({ object: "before" }), 0)[0]?.detail ?? "",
    /yours to change/,
  );
});

const cause = { kind: "operator", operator: "ada", reason: "too early" } as const;
const strict = { object: "after", isStanding: true } as const;

test("a stage that leaves nobody is the last one, and no empty one comes after it", () => {
  const one = viewOf({ workloads: [memberOf("shop/api-a")] });
  const single = settleFlip(flipOf(), one, 20_000);
  assert.deepEqual(
    single.opened.map(({ index, workloads }) => [index, workloads]),
    [[2, []]],
  );
  assert.equal(single.state.kind, "watching");
  const all = settleFlip(flipOf({ stages: parseStages("1,100%,all") }), viewOf(), 20_000);
  assert.deepEqual(
    all.opened.map(({ index }) => index),
    [0, 2],
  );
});

test("a failure counts from when the stage of whom it called has opened", () => {
  const all = settleFlip(firstStage(), viewOf(), 50_000);
  assert.deepEqual(
    all.opened.map(({ openedMs }) => openedMs),
    [10_000, 50_000, 50_000],
  );
  const failed = (ms: number) => [
    failedOf("shop/web", { member: "shop/api-e", firstMs: ms, lastMs: ms }),
  ];
  assert.equal(nextFlip(all, viewOf({ refused: failed(45_000) }), 60_000), undefined);
  assert.equal(nextFlip(all, viewOf({ refused: failed(50_000) }), 60_000)?.state.kind, "reverting");
});

test("a stage is not in force where the object does not say so", () => {
  const flip = settleFlip(flipOf(), viewOf({ workloads: withFirst({ stage: "pushed" }) }), 10_000);
  assert.equal(nextFlip(flip, viewOf({ object: "partly" }), 20_000), undefined);
  assert.equal(nextFlip(flip, viewOf(), 20_000)?.opened[0]?.inForceMs, 20_000);
});

test("a clock that was set back does not make a revert earlier than what it takes back", () => {
  const done = settleFlip(allOpen(), viewOf(), 900_000);
  const reverting = revertFlip(done, cause, strict, 1);
  assert.ok(!isRefusal(reverting) && reverting.state.kind === "reverting");
  assert.equal(reverting.state.sinceMs, 900_000);
});

test("an operator takes a flip back at any time, once", () => {
  for (const flip of [
    flipOf(),
    firstStage(),
    allOpen(),
    settleFlip(allOpen(), viewOf(), 900_000),
  ]) {
    const reverting = revertFlip(flip, cause, strict, 950_000);
    assert.ok(!isRefusal(reverting));
    assert.deepEqual(reverting.state, { kind: "reverting", cause, sinceMs: 950_000 });
    assert.deepEqual(strictOf(reverting), []);
    assert.equal(revertFlip(reverting, { ...cause, operator: "bob" }, strict, 960_000), reverting);
    assert.equal(nextFlip(reverting, viewOf(), 960_000), undefined);
    assert.deepEqual(waits(reverting, viewOf()), ["object shop/api"]);
    const reverted = nextFlip(reverting, viewOf({ object: "before" }), 960_000);
    assert.deepEqual(reverted?.state, { kind: "reverted", cause, endedMs: 960_000 });
    const again = reverted && revertFlip(reverted, cause, strict, 970_000);
    assert.ok(again && isRefusal(again));
    assert.equal(again.code, "nothing-to-revert");
  }
});

test("there is nothing to take back where others have changed the object since", () => {
  const done = settleFlip(allOpen(), viewOf(), 900_000);
  for (const object of ["before", "other"] as const) {
    assert.ok(isRefusal(revertFlip(done, cause, { object, isStanding: false }, 950_000)));
  }
  assert.ok(!isRefusal(revertFlip(done, cause, { object: "partly", isStanding: false }, 950_000)));
});
