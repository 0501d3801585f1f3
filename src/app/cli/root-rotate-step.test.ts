import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  authorityValue,
  closedBy,
  laggard,
  statusOf,
  stepValue,
} from "../../../test/support/root-status.ts";
import { decideRotateStep, goalAfter, type RotateGoal } from "./root-rotate-step.ts";
import type { RootStatusValue } from "./root-value.ts";

const steady = statusOf([authorityValue("old", "active")]);
const prepared = statusOf([authorityValue("new", "prepared"), authorityValue("old", "active")]);
const retiring = statusOf([authorityValue("new", "active"), authorityValue("old", "retiring")]);
const unconfirmed = statusOf([authorityValue("new", "active"), authorityValue("old", "retired")]);
const finished = statusOf([authorityValue("new", "active")]);
const lagging = {
  total: 3,
  confirmed: 2,
  weak: 0,
  waived: 0,
  ackOnly: 0,
  lagging: 1,
  laggards: [laggard("proxy/web@spiffe://cluster.local/web")],
};
const holders = (unexpired: number) => [
  {
    authority: "old",
    unexpired,
    waived: 0,
    lastEndsAt: "2026-11-29T15:00:00Z",
    named: [laggard("leaf/01")],
  },
  { authority: "new", unexpired: 10, waived: 0, lastEndsAt: "", named: [] },
];
const before: RotateGoal = { authorityId: "new", wasActive: false };
const after: RotateGoal = { authorityId: "new", wasActive: true };

const withStep = (status: RootStatusValue, command: string, reason: string): RootStatusValue => ({
  ...status,
  steps: status.steps.map((step) => (step.command === command ? stepValue(command, reason) : step)),
});

describe("the next step of a rotation", () => {
  const cases: readonly (readonly [string, RootStatusValue, RotateGoal | undefined, string])[] = [
    ["begins where nothing has begun", steady, undefined, "prepare"],
    ["activates when it may", prepared, before, "activate"],
    ["waits for verifiers", closedBy(prepared, "activate"), before, "wait activate"],
    ["retires when it may", retiring, after, "retire"],
    ["waits for holders", closedBy(retiring, "retire"), after, "wait retire"],
    ["waits for the end", { ...unconfirmed, verifiers: lagging }, after, "wait over"],
    ["waits for the server's word of the end", unconfirmed, after, "wait over, server's turn"],
    ["is done", finished, after, "done"],
    [
      "stops after another's rollback",
      statusOf([authorityValue("new", "prepared"), authorityValue("old", "active")]),
      after,
      "stopped",
    ],
    [
      "stops after another's abort",
      statusOf([authorityValue("old", "active"), authorityValue("new", "retired")]),
      before,
      "stopped",
    ],
    ["stops after another's abort that is confirmed", steady, before, "stopped"],
    [
      "stops where another rotation retires the goal",
      statusOf([authorityValue("third", "active"), authorityValue("new", "retiring")]),
      after,
      "stopped",
    ],
    ["goes on where somebody has activated", retiring, before, "retire"],
    [
      "leaves activation to a server that goes on by itself",
      { ...prepared, automatic: "activates" },
      before,
      "wait activate, server's turn",
    ],
    [
      "leaves retiring to it, too",
      { ...retiring, automatic: "retires" },
      after,
      "wait retire, server's turn",
    ],
    [
      "waits with such a server",
      closedBy({ ...retiring, automatic: "retires" }, "retire"),
      after,
      "wait retire",
    ],
    [
      "waits for a Lease of the trust that is renewed by itself",
      withStep(prepared, "activate", "trust-lease-lost"),
      before,
      "wait activate, server's turn",
    ],
    [
      "refuses what is another server's to do",
      withStep(prepared, "activate", "trust-lease-taken"),
      before,
      "refused trust-lease-taken",
    ],
    [
      "refuses what no wait opens",
      withStep(retiring, "retire", "root-in-files"),
      after,
      "refused root-in-files",
    ],
    [
      "refuses an activation without a key",
      withStep(prepared, "activate", "key-missing"),
      before,
      "refused key-missing",
    ],
  ];
  for (const [title, status, goal, wanted] of cases) {
    it(title, () => {
      const step = decideRotateStep(status, goal);
      const words = {
        command: () => (step.kind === "command" ? step.command : ""),
        wait: () =>
          step.kind === "wait"
            ? `wait ${step.wait.until}${step.wait.isServersTurn ? ", server's turn" : ""}`
            : "",
        refused: () => (step.kind === "refused" ? `refused ${step.step.reason}` : ""),
        stopped: () => "stopped",
        done: () => "done",
      }[step.kind]();
      assert.equal(words, wanted);
    });
  }

  it("says whom it waits for, and until when at the latest", () => {
    const status = closedBy({ ...prepared, verifiers: lagging }, "activate");
    const step = decideRotateStep(status, before);
    assert.deepEqual(step, {
      kind: "wait",
      wait: {
        until: "activate",
        confirmed: 2,
        total: 3,
        lagging: 1,
        laggards: lagging.laggards,
        opensAt: "2026-11-29T15:00:00Z",
        isServersTurn: false,
      },
    });
  });

  it("counts the certificates of the old root, and none of the others: there are more with each renewal", () => {
    const status = closedBy({ ...retiring, holders: holders(5) }, "retire", "");
    const step = decideRotateStep(status, after);
    assert.ok(step.kind === "wait");
    const { confirmed, total, lagging, opensAt } = step.wait;
    assert.deepEqual([confirmed, total, lagging, opensAt], [0, 5, 5, "2026-11-29T15:00:00Z"]);
  });

  it("knows no end where a laggard has none, or is not named", () => {
    for (const verifiers of [
      { ...lagging, laggards: [laggard("class/files", { endsAt: "" })] },
      { ...lagging, lagging: 2 },
    ]) {
      const step = decideRotateStep({ ...unconfirmed, verifiers }, after);
      assert.ok(step.kind === "wait");
      assert.equal(step.wait.opensAt, "");
    }
  });
});

describe("the goal of a rotation", () => {
  const cases: readonly (readonly [
    string,
    RotateGoal | undefined,
    RootStatusValue,
    RotateGoal | undefined,
  ])[] = [
    ["is unknown before anything is prepared", undefined, steady, undefined],
    ["is what is prepared", undefined, prepared, before],
    ["is what took over", undefined, retiring, after],
    ["is what has been left alone", undefined, unconfirmed, after],
    ["stays", before, steady, before],
    ["remembers that it was active", after, prepared, after],
    ["learns that it is active", before, retiring, after],
  ];
  for (const [title, goal, status, wanted] of cases) {
    it(title, () => assert.deepEqual(goalAfter(goal, status), wanted));
  }
});
