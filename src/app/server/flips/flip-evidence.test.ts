import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flipOf } from "../../../../test/support/flips.ts";
import type { MemberSpan } from "../../../core/evidence/member.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import { selectorOf } from "../../../core/flip/target.ts";
import type { StoredMember } from "../../../edge/evidence/evidence-question.ts";
import type { AskedPorts } from "./asked-ports.ts";
import { notRecorded, type EvidenceQuestions } from "./evidence-questions.ts";
import { flipEvidence } from "./flip-evidence.ts";

const member: StoredMember = {
  key: "k",
  proxy: "p",
  spiffeId: "spiffe://td/ns/shop/sa/api",
  name: "shop/api-a",
  labels: new Map(),
  bornMs: 0,
  goneMs: undefined,
};
const told = (port: number, untilMs: number): MemberSpan => {
  const nothing = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
  return { member: "k", epochMs: 0, port, sinceMs: 0, untilMs, ...nothing };
};
const asked: AskedPorts = { isAsked: (_, port) => port !== 9_000, isMember: () => true };

async function untilOf(
  spans: readonly MemberSpan[],
  ports?: readonly number[],
): Promise<number | undefined> {
  const questions: EvidenceQuestions = {
    ...notRecorded,
    membersOf: () =>
      Promise.resolve([
        { ...member, ports },
        { ...member, key: "x", goneMs: 1 },
      ]),
    spans: () => Promise.resolve(spans),
  };
  const evidence = await flipEvidence(questions, flipOf(), asked, 1_000);
  assert.equal(evidence?.members.length, 1);
  return evidence.members[0]?.untilMs;
}

describe("the evidence of a flip's member reaches", () => {
  it("as far as that of its least port, of those that are asked for", async () => {
    const spans = [told(80, 5), told(80, 9), told(81, 7), told(9_000, 1)];
    assert.equal(await untilOf(spans), 7);
    assert.equal(await untilOf(spans, [80, 9_000]), 9);
    assert.equal(await untilOf(spans, [80, 81]), 7);
  });

  it("nothing where a port that it listens on has not told, or none has", async () => {
    assert.equal(await untilOf([told(80, 9)], [80, 82]), undefined);
    assert.equal(await untilOf([]), undefined);
    assert.equal(await untilOf([told(9_000, 9)]), undefined);
  });
});

describe("a gap stands in the way", () => {
  const [orderedMs, nowMs] = [985_000, 1_000_000];
  const spans = [
    { ...told(80, 978_000), epochMs: -100_000 },
    { ...told(80, nowMs), epochMs: -100_000, sinceMs: 997_000 },
  ];
  const memberAt = async (atMs: number, more: Partial<Flip>) => {
    const questions: EvidenceQuestions = {
      ...notRecorded,
      membersOf: () => Promise.resolve([member]),
      spans: (_, sinceMs) => Promise.resolve(spans.filter(({ untilMs }) => untilMs >= sinceMs)),
      refusedSince: () => Promise.resolve([]),
      holders: () => Promise.resolve([]),
    };
    const flip = { ...flipOf({ startedMs: orderedMs }), ...more };
    const [its] = (await flipEvidence(questions, flip, asked, atMs))?.members ?? [];
    return [its?.untilMs, its?.hasGap];
  };
  const stage = { workloads: ["shop/api-a"], openedMs: 970_000, inForceMs: 971_000 };
  const startedMs = 960_000;
  const strict = { startedMs, opened: [{ index: 0, ...stage }], state: { kind: "stage" } } as const;
  const all = {
    startedMs,
    opened: [{ index: 2, ...stage }],
    state: { kind: "watching", sinceMs: 971_000 },
  } as const;

  it("of the first stage, where the order is in it, until a verdict says so", async () => {
    assert.deepEqual(await memberAt(nowMs, {}), [978_000, true]);
    assert.deepEqual(await memberAt(1_020_000, {}), [990_000, true]);
    assert.deepEqual(await memberAt(1_028_000, {}), [nowMs, false]);
  });

  it("of a further one, of who is strict, until the look-back is past it", async () => {
    assert.deepEqual(await memberAt(nowMs, strict), [978_000, true]);
    assert.deepEqual(await memberAt(1_050_000, strict), [990_000, true]);
    assert.deepEqual(await memberAt(1_058_000, strict), [nowMs, false]);
  });

  it("of being seen to the end, for ever", async () => {
    assert.deepEqual(await memberAt(9_000_000, all), [978_000, true]);
  });
});

it("of nobody who can be asked there is none, which is not an empty one", async () => {
  assert.equal(await flipEvidence(notRecorded, flipOf(), asked, 1_000), undefined);
});

it("what a proxy refused under labels that are not the target's is another policy's", async () => {
  const labels = selectorOf(flipOf().target);
  const asks: string[] = [];
  const questions: EvidenceQuestions = {
    ...notRecorded,
    membersOf: () =>
      Promise.resolve([
        { ...member, labels },
        { ...member, key: "before", labels: new Map(), labelsNow: labels, goneMs: 1 },
      ]),
    spans: () => Promise.resolve([]),
    refusedSince: (keys) => {
      asks.push(...keys);
      return Promise.resolve([]);
    },
    holders: () => Promise.resolve([]),
  };
  const opened = [{ index: 0, workloads: ["shop/api-a"], openedMs: 2, inForceMs: undefined }];
  await flipEvidence(questions, { ...flipOf(), opened }, asked, 1_000);
  assert.deepEqual(asks, ["k"]);
});
