import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject } from "../../identity/json-object.ts";
import { mergedConditions, wantedConditions, type PolicyFacts } from "./conditions.ts";

const good: PolicyFacts = {
  uid: "uid",
  generation: 3,
  problems: [],
  warnings: [],
  proxies: { confirmed: 2, total: 2 },
  verdict: undefined,
};
const words = (facts: Partial<PolicyFacts>): readonly string[] =>
  wantedConditions({ ...good, ...facts }).map(
    ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
  );
const accepted = "portcullis.io/Accepted True Accepted: it counts as it is written";

const tables: readonly (readonly [string, Partial<PolicyFacts>, readonly string[]])[] = [
  [
    "all is well",
    {},
    [accepted, "portcullis.io/InForce True Confirmed: confirmed by 2 of 2 proxies"],
  ],
  [
    "some have not confirmed",
    { proxies: { confirmed: 1, total: 2 } },
    [accepted, "portcullis.io/InForce False Waiting: confirmed by 1 of 2 proxies"],
  ],
  [
    "one that has not is of a pod that is gone",
    { proxies: { confirmed: 2, total: 3, gone: 1, goneUntilMs: 3_600_000 } },
    [
      accepted,
      "portcullis.io/InForce False Waiting: confirmed by 2 of 3 proxies; 1 is of an earlier pod that is gone, and may run on until its certificates end, 1970-01-01T01:00:00Z",
    ],
  ],
  [
    "nobody needs it",
    { proxies: undefined },
    [accepted, "portcullis.io/InForce Unknown NoProxies: no proxy is known to need it"],
  ],
  [
    "it has problems",
    { problems: ["a", "b", "c", "d", "e", "f", "g"], proxies: { confirmed: 0, total: 0 } },
    [
      "portcullis.io/Accepted False Problems: a; b; c; d; e; and 2 more",
      "portcullis.io/InForce Unknown NoProxies: no proxy is known to need it",
    ],
  ],
  [
    "it has warnings",
    { warnings: ["a"] },
    [
      "portcullis.io/Accepted True Warnings: a",
      "portcullis.io/InForce True Confirmed: confirmed by 2 of 2 proxies",
    ],
  ],
  ...(["SAFE", "UNSAFE", "UNKNOWN"] as const).map((kind, at) => {
    const status = ["True Safe", "False Unsafe", "Unknown Unknown"][at];
    return [
      `it is permissive and ${kind}`,
      { verdict: { kind, why: "why" } },
      [
        accepted,
        "portcullis.io/InForce True Confirmed: confirmed by 2 of 2 proxies",
        `portcullis.io/Verdict ${status}: ${kind}: why`,
      ],
    ] as const;
  }),
];

describe("conditions", () => {
  for (const [what, facts, expected] of tables) {
    it(`say when ${what}`, () => {
      assert.deepEqual(words(facts), expected);
    });
  }

  it("name the generation that was read, and none where nobody knows it", () => {
    const generations = (facts: PolicyFacts): readonly unknown[] =>
      wantedConditions(facts).map(({ observedGeneration }) => observedGeneration);
    assert.deepEqual(generations(good), [3, 3]);
    assert.deepEqual(generations({ ...good, generation: undefined }), [undefined, undefined]);
  });

  it("have messages within a screen", () => {
    const [first] = wantedConditions({ ...good, problems: ["x".repeat(5_000)] });
    assert.equal(first?.message.length, 1_024);
  });
});

describe("conditions that are merged", () => {
  const wanted = wantedConditions(good);
  const startMs = Date.parse("2026-11-30T08:00:00.500Z");
  const merged = (existing: unknown, facts = good, nowMs = startMs) =>
    mergedConditions(existing, wantedConditions(facts), nowMs);
  const theirs = { type: "Reconciled", status: "True", more: { kept: true } };

  it("are written once", () => {
    const first = merged(undefined);
    assert.deepEqual(
      first?.map(({ lastTransitionTime }) => lastTransitionTime),
      ["2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"],
    );
    assert.equal(merged(first, good, startMs + 60_000), undefined);
  });

  it("leave those of others, each in its place", () => {
    const [a, b] = merged([]) ?? [];
    const mixed = [b, theirs, a];
    assert.equal(merged(mixed), undefined);
    const waiting = merged(mixed, { ...good, proxies: { confirmed: 1, total: 2 } });
    const types = waiting?.map(({ type }) => type);
    assert.deepEqual(types, ["portcullis.io/InForce", "Reconciled", "portcullis.io/Accepted"]);
    assert.deepEqual(waiting?.[1], theirs);
  });

  it("keep the time of a transition while the status is the same", () => {
    const first = merged([], { ...good, proxies: { confirmed: 0, total: 2 } });
    const second = merged(
      first,
      { ...good, proxies: { confirmed: 1, total: 2 } },
      startMs + 60_000,
    );
    const third = merged(second, good, startMs + 120_000);
    const timeOf = (all: readonly JsonObject[] | undefined): unknown =>
      all?.find(({ type }) => type === "portcullis.io/InForce")?.["lastTransitionTime"];
    assert.deepEqual([first, second, third].map(timeOf), [
      "2026-11-30T08:00:00Z",
      "2026-11-30T08:00:00Z",
      "2026-11-30T08:02:00Z",
    ]);
  });

  it("take away a verdict of ours that is none any more, and what is no condition", () => {
    const before = merged([theirs], { ...good, verdict: { kind: "SAFE", why: "w" } }) ?? [];
    assert.equal(before.length, 4);
    const types = merged([...before, 7])?.map(({ type }) => type);
    assert.deepEqual(types, ["Reconciled", ...wanted.map(({ type }) => type)]);
  });
});
