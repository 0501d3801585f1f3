import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstStage, flipOf, viewOf, withFirst, withLast } from "../../../test/support/flips.ts";
import { waitsFor } from "./flip-waits.ts";

describe("the wait for a workload of which nothing is heard", () => {
  const words = [
    ["away", "no agent tells of it now"],
    ["envoy-away", "its agent tells, and its Envoy has no stream with it"],
    ["unheard", "was not heard since the server's start"],
    [
      "pod-gone",
      "its pod is gone, and no node has said that it ended: what ran there may run on until its certificates end, 1970-01-01T01:00:00Z",
    ],
    [
      "earlier-pod",
      "an earlier pod of this name is gone, and no node has said that it ended: what ran there may run on until its certificates end, 1970-01-01T01:00:00Z",
      true,
    ],
    [
      "unheard",
      "is told of, and another agent of its identity, which may have its name, was not heard since the server's start",
      true,
    ],
  ] as const;
  for (const [absence, detail, hasTwin = false] of words) {
    it(`tells which process is not there: ${absence}${hasTwin ? ", of two" : ""}`, () => {
      const state = { stage: "silent", isConnected: false, absence, hasTwin } as const;
      const silent = { ...state, absentUntilMs: 3_600_000 };
      const strict = waitsFor(firstStage(), viewOf({ workloads: withFirst(silent) }), 11_000);
      const lax = waitsFor(flipOf(), viewOf({ workloads: withLast(silent) }), 11_000);
      for (const waits of [strict, lax]) {
        assert.equal(waits.find(({ kind }) => kind === "proxy")?.detail, detail);
      }
    });
  }
});

describe("the wait of the way back", () => {
  it("is for an object to be gone where the flip has made it, else for what it said before", () => {
    const state = {
      kind: "reverting",
      cause: { kind: "operator", operator: "ada", reason: "" },
      sinceMs: 12_000,
    } as const;
    const edit = { ...flipOf().edit, isOurs: false };
    const detailOf = (beforeJson: string | undefined): string | undefined =>
      waitsFor({ ...flipOf({ edit: { ...edit, beforeJson } }), state }, viewOf(), 13_000)[0]
        ?.detail;
    assert.equal(detailOf(undefined), "is to be gone again: it is yours to change");
    const before = '{"kind":"PeerAuthentication"}';
    assert.equal(
      detailOf(before),
      "is to say again what it said before the flip: it is yours to change",
    );
  });
});
