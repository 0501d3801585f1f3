import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flipOf } from "../../../test/support/flips.ts";
import { encodeFlip, parseFlip } from "./flip-codec.ts";
import { FlipError } from "./flip-error.ts";
import type { Flip, FlipState } from "./flip.ts";

const opened = [
  { index: 0, workloads: ["shop/api-a"], openedMs: 2_000, inForceMs: 3_000 },
  { index: 2, workloads: [], openedMs: 4_000, inForceMs: undefined },
];
const causes = [
  { kind: "operator", operator: "ada", reason: "too early\n" },
  { kind: "refused", callers: ["shop/x", "shop/y"] },
  { kind: "meshed-failure", callers: ["shop/x"] },
] as const;
const states: readonly FlipState[] = [
  { kind: "editing" },
  { kind: "stage" },
  { kind: "watching", sinceMs: 5_000 },
  { kind: "done", endedMs: 6_000, unseen: [] },
  { kind: "done", endedMs: 6_000, unseen: ["shop/api-a", "shop/api-b"] },
  { kind: "superseded", endedMs: 6_000, why: "the object was changed" },
  ...causes.flatMap((cause): readonly FlipState[] => [
    { kind: "reverting", cause, sinceMs: 5_000 },
    { kind: "reverted", cause, endedMs: 6_000 },
  ]),
];
const flips: readonly Flip[] = [
  ...states.map((state) => ({ ...flipOf(), opened, state })),
  { ...flipOf(), state: { kind: "editing", isWritten: true } },
  flipOf({ revertOnRefused: undefined, ports: [8080], exceptPorts: [1, 65_535] }),
  flipOf({ edit: { ...flipOf().edit, beforeJson: "{}", isOurs: false } }),
];

test("a flip is stored and read as it is, in the same text however it was put together", () => {
  for (const flip of flips) {
    const document = encodeFlip(flip);
    assert.deepEqual(parseFlip(document), flip);
    const { id, ...rest } = flip;
    assert.equal(encodeFlip({ ...rest, id }), document);
    assert.equal(
      encodeFlip({ ...flip, target: { ...flip.target, selector: { ...flip.target.selector } } }),
      document,
    );
  }
});

test("a flip that was done before anybody could be unseen is read as one that all have seen", () => {
  const [, , , done = flipOf()] = flips;
  assert.doesNotMatch(encodeFlip(done), /unseen/);
  assert.deepEqual(parseFlip(encodeFlip(done)).state, { kind: "done", endedMs: 6_000, unseen: [] });
});

const document = encodeFlip(flips[7] ?? flipOf());
const replaced = (from: string, to: string): string => {
  assert.ok(document.includes(from), from);
  return document.replace(from, to);
};

const bad: readonly (readonly [title: string, document: string])[] = [
  ["a later version", replaced('"version":1', '"version":2')],
  ["no version", replaced(',"version":1', "")],
  ["no object", "[]"],
  ["no JSON", document.slice(1)],
  ["a member that nobody knows", replaced('"id":7', '"id":7,"ie":1')],
  ["another order", replaced('"id":7,', "").replace("{", '{"id":7,')],
  ["space", `${document} `],
  ["no id", replaced('"id":7', '"id":0')],
  ["half a time", replaced('"startedMs":1000', '"startedMs":1000.5')],
  [
    "an object of another kind",
    replaced('"kind":"PeerAuthentication","name', '"kind":"Sidecar","name'),
  ],
  ["no manifest", replaced('\\"kind\\"', "kind")],
  ["stages that do not rise", replaced('"1,40%,all"', '"2,1,all"')],
  ["a stage that there is not", replaced('"index":2', '"index":3')],
  ["a stage twice", replaced('"index":2', '"index":0')],
  ["a stage before the last one was in force", replaced('"openedMs":4000', '"openedMs":2999')],
  ["a stage in force before it was open", replaced('"inForceMs":3000', '"inForceMs":1999')],
  ["a workload without a namespace", replaced("shop/api-a", "api-a")],
  ["a workload twice", replaced('["shop/api-a"]', '["shop/api-a","shop/api-a"]')],
  ["a state that nobody knows", replaced('"kind":"reverted"', '"kind":"paused"')],
  ["a cause that nobody knows", replaced('"kind":"operator"', '"kind":"weather"')],
  ["unseen workloads as text", replaced('"kind":"reverted"', '"kind":"done","unseen":"all"')],
  ["a port of 0", replaced('"exceptPorts":[]', '"exceptPorts":[0]')],
  ["ports as text", replaced('"exceptPorts":[]', '"exceptPorts":["80"]')],
  ["a selector of numbers", replaced('"app":"api"', '"app":1')],
];

describe("refuses to read", () => {
  for (const [title, text] of bad) {
    test(title, () => {
      assert.throws(
        () => parseFlip(text),
        (error) => error instanceof FlipError && error.code === "flip-malformed",
      );
    });
  }
});
