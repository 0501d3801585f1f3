import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decideWorkloadStep, idleMsMax, type WorkloadState } from "./workload-step.ts";

const fresh: WorkloadState = {
  streams: 1,
  idleSinceMs: 1_000,
  isAsking: false,
  attempts: 0,
  retryAtMs: 0,
  held: undefined,
};
const held = { renewAtMs: 50_000, tokenExpiresAtMs: 90_000 };
const wait = (untilMs: number): object => ({ kind: "wait", untilMs });

const cases: readonly (readonly [string, Partial<WorkloadState>, number, object])[] = [
  ["asks at once for a stream that has just come", {}, 1_000, { kind: "ask" }],
  ["asks once for a fetch without a stream", { streams: 0 }, 1_000, { kind: "ask" }],
  ["does not ask again for it", { streams: 0, attempts: 1 }, 1_000, wait(61_000)],
  ["asks one question at a time", { isAsking: true }, 1_000, wait(Infinity)],
  ["waits as long as it was told to", { attempts: 1, retryAtMs: 3_000 }, 2_999, wait(3_000)],
  ["and asks then", { attempts: 1, retryAtMs: 3_000 }, 3_000, { kind: "ask" }],
  ["waits for the renewal", { held }, 49_999, wait(50_000)],
  ["renews then", { held }, 50_000, { kind: "ask" }],
  ["waits for the token's end while it renews", { held, isAsking: true }, 50_000, wait(90_000)],
  [
    "renews nothing that nobody holds",
    { held, streams: 0, idleSinceMs: 49_000 },
    60_000,
    wait(90_000),
  ],
  ["is over with its token", { held }, 90_000, { kind: "expire" }],
  ["also while it renews", { held, isAsking: true }, 90_000, { kind: "expire" }],
  ["is forgotten a minute after its last stream", { held, streams: 0 }, 61_000, { kind: "forget" }],
  ["and not before", { held, streams: 0 }, 60_999, wait(61_000)],
  ["is forgotten unverified, too", { streams: 0, isAsking: true }, 61_000, { kind: "forget" }],
];

for (const [what, change, nowMs, want] of cases) {
  test(`a workload ${what}`, () => {
    assert.deepEqual(decideWorkloadStep({ ...fresh, ...change }, nowMs), want);
  });
}

test("a workload always waits for something that is still to come", () => {
  const ms = fc.nat({ max: 200_000 });
  const state: fc.Arbitrary<WorkloadState> = fc.record({
    streams: fc.nat({ max: 2 }),
    idleSinceMs: ms,
    isAsking: fc.boolean(),
    attempts: fc.nat({ max: 3 }),
    retryAtMs: ms,
    held: fc.option(fc.record({ renewAtMs: ms, tokenExpiresAtMs: ms }), { nil: undefined }),
  });
  fc.assert(
    fc.property(state, ms, (state, nowMs) => {
      const step = decideWorkloadStep(state, nowMs);
      if (step.kind === "wait") assert(step.untilMs > nowMs);
      if (state.held !== undefined && nowMs >= state.held.tokenExpiresAtMs) {
        assert.equal(step.kind, "expire");
      }
      if (state.streams === 0 && nowMs >= state.idleSinceMs + idleMsMax) {
        assert.notEqual(step.kind, "ask");
      }
    }),
  );
});
