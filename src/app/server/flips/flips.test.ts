import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pino } from "pino";
import { Registry } from "prom-client";
import { allOpen, settleFlip, viewOf } from "../../../../test/support/flips.ts";
import { encodeFlip } from "../../../core/flip/flip-codec.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import { FlipEvents } from "../../../edge/telemetry/flip-events.ts";
import { PolicyControl } from "../policy/policy-control.ts";
import { ResourceSet } from "../policy/resources/resource-set.ts";
import { notRecorded } from "./evidence-questions.ts";
import { FlipConfiguration } from "./flip-configuration.ts";
import { FlipEdits } from "./flip-edits.ts";
import { FlipRegister } from "./flip-register.ts";
import { Flips } from "./flips.ts";
import { HurriedStreams } from "./hurried-streams.ts";

const trustDomain = "cluster.local";
const nowMs = (): number => 900_000;
const done = settleFlip(allOpen(), viewOf(), nowMs());
const held = (flips: Flips): readonly number[] => flips.holds.map(({ flip }) => flip);

function openFlips(owned: DisposableStack): Flips {
  const control = owned.use(
    new PolicyControl({
      trustDomain,
      events: { policyRefused: () => {}, policyTooLarge: () => {}, policyDropped: () => {} },
      owners: () => ({ isBuilt: true, all: () => [] }),
      nodeAgents: () => new Set(),
      newestNotAfterMs: () => 0,
      provenNowMs: nowMs,
      nowMs,
    }),
  );
  const set = new ResourceSet(0, { directory: [], applied: [], cluster: [] });
  const configuration = owned.use(new FlipConfiguration(set, trustDomain));
  const stored = [{ id: done.id, document: encodeFlip(done) }];
  return new Flips({
    control,
    configuration,
    register: new FlipRegister({
      stored: { all: () => stored, put: () => {} },
      record: () => nextTurn(),
    }),
    edits: new FlipEdits({
      configuration,
      resources: { change: () => Promise.reject(new Error("the disk is full")) },
    }),
    events: new FlipEvents(pino({ level: "silent" }), new Registry(), {
      underWay: () => 0,
      overdue: () => 0,
    }),
    questions: notRecorded,
    waivers: { of: () => [], namesOf: () => new Set(), untilOf: () => new Map() },
    absenceOf: () => undefined,
    hasListeners: () => true,
    hurried: new HurriedStreams(() => {}),
    nowMs,
  });
}

const cause = { kind: "operator", operator: "ada", reason: "" } as const;
const reverting = (flip: Flip): Flip => ({
  ...flip,
  state: { kind: "reverting", cause, sinceMs: nowMs() },
});
const refuse = (): never => {
  throw new Error("no");
};

it("a flip that is over, and of which nothing is decided, is not under way", async () => {
  using owned = new DisposableStack();
  await using flips = openFlips(owned);
  await assert.rejects(flips.order(done, refuse), /no/);
  assert.deepEqual(await flips.order(done, (flip) => flip), done);
  assert.deepEqual([flips.underWay, held(flips)], [[], []]);
});

it("an order that waits while another is refused is carried out, and goes on", async () => {
  using owned = new DisposableStack();
  await using flips = openFlips(owned);
  const [refused, taken] = await Promise.allSettled([
    flips.order(done, refuse),
    flips.order(done, reverting),
  ]);
  assert.deepEqual([refused.status, taken.status], ["rejected", "fulfilled"]);
  assert.deepEqual([flips.underWay.length, held(flips)], [1, [done.id]]);
});
