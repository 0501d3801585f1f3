import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Holder } from "./address-history.ts";
import type { Member, MemberSeen, MemberSpan } from "./member.ts";
import { verdictOf, type Verdict, type VerdictInput } from "./verdict.ts";

const nowMs = 1_000_000_000;
const hourMs = 3_600_000;
const fromMs = nowMs - 10 * hourMs;
const epochMs = fromMs - hourMs;

const api: Member = { key: "k1", name: "shop/api-1", bornMs: epochMs, goneMs: undefined };
const told: MemberSpan = {
  member: "k1",
  epochMs,
  port: 80,
  sinceMs: epochMs,
  untilMs: nowMs - 1_000,
  lostUnmeshed: 0,
  lostMeshed: 0,
  openUnnamed: 0,
};
const plain: MemberSeen = {
  member: "k1",
  port: 80,
  kind: "plaintext",
  isRefused: false,
  source: { kind: "address", address: "10.0.0.7" },
  firstMs: nowMs - 2 * hourMs,
  lastMs: nowMs - hourMs,
  count: 3,
  claim: "curl/8",
};
const meshed: MemberSeen = {
  ...plain,
  kind: "mtls",
  source: { kind: "identity", spiffeId: "spiffe://td/ns/shop/sa/web" },
  count: 1_000,
};
const web: Holder = { kind: "workload", name: "shop/web-0", isMeshed: true };

function judge(some: Partial<VerdictInput>): Verdict {
  return verdictOf({
    target: "shop/api",
    nowMs,
    lookBackMs: 10 * hourMs,
    ports: undefined,
    members: [api],
    seen: [meshed],
    spans: [told],
    holderOf: () => ({ kind: "unknown" }),
    waived: new Set(),
    brokenCalls: [],
    lagMs: 30_000,
    ...some,
  });
}

const cut = (...[since, until]: [number, number]): MemberSpan => ({
  ...told,
  sinceMs: since,
  untilMs: until,
});

describe("a verdict", () => {
  it("counts what is open by the newest word of each port, and of nobody who is gone", () => {
    const open = (openMeshed: number, more: Partial<MemberSpan> = {}): MemberSpan => ({
      ...told,
      openMeshed,
      ...more,
    });
    const spans = [
      open(7, { untilMs: nowMs - hourMs }),
      open(2),
      open(1, { port: 81 }),
      open(9, { member: "k2" }),
    ];
    const gone: Member = { ...api, key: "k2", goneMs: nowMs - 2_000 };
    assert.equal(judge({ members: [api, gone], spans }).coverage.openMtls, 3);
    assert.equal(judge({}).coverage.openMtls, 0);
  });

  it("is SAFE where all was told and nobody came without mTLS, and says what it rests on", () => {
    assert.deepEqual(judge({}), {
      kind: "safe",
      callers: [],
      silent: [],
      coverage: {
        fromMs,
        toMs: nowMs - 1_000,
        members: 1,
        connections: { mtls: 1_000, unmeshed: 0 },
        openMtls: 0,
        lost: { mtls: 0, unmeshed: 0 },
      },
      waivedNames: [],
    } satisfies Verdict);
  });

  const holders: readonly (readonly [string, Partial<MemberSeen>, Holder, string, string])[] = [
    ["the workload that held its address", {}, web, "shop/web-0", "workload"],
    ["its address where nobody knows", {}, { kind: "unknown" }, "10.0.0.7", "unknown"],
    [
      "its address where several held it",
      {},
      { kind: "several", names: ["shop/a", "shop/b"] },
      "10.0.0.7",
      "several",
    ],
    ["the called host itself", {}, { ...web, name: "shop/api-1" }, "shop/api-1", "own"],
    [
      "the called host by loopback",
      { source: { kind: "address", address: "127.0.0.1" } },
      { kind: "unknown" },
      "shop/api-1",
      "own",
    ],
    [
      "`others` where the agent had no room",
      { source: { kind: "others" } },
      web,
      "others",
      "others",
    ],
    [
      "a certificate that was refused",
      { ...meshed, isRefused: true },
      web,
      "spiffe://td/ns/shop/sa/web",
      "identity",
    ],
  ];
  for (const [title, row, holder, name, kind] of holders) {
    it(`is UNSAFE and names ${title}`, () => {
      const verdict = judge({ seen: [meshed, { ...plain, ...row }], holderOf: () => holder });
      assert.equal(verdict.kind, "unsafe");
      assert.deepEqual(
        verdict.callers.map((caller) => [caller.name, caller.holder.kind, caller.called]),
        [[name, kind, ["shop/api-1:80"]]],
      );
      const waived = judge({
        seen: [{ ...plain, ...row }],
        holderOf: () => holder,
        waived: new Set([name]),
      });
      assert.equal(waived.kind, "safe");
      assert.deepEqual(waived.waivedNames, [name]);
      assert.equal(waived.callers.length, 1, "it is shown");
    });
  }

  it("adds up what one caller did, and tells kinds and refusals apart", () => {
    const seen = [
      plain,
      { ...plain, port: 90, lastMs: nowMs, claim: "" },
      { ...plain, source: { kind: "address", address: "10.0.0.8" }, firstMs: 7 } as const,
      { ...plain, isRefused: true },
      { ...plain, kind: "passthrough" } as const,
    ];
    const { callers, coverage } = judge({ seen, holderOf: () => web });
    assert.deepEqual(
      callers.map(({ kind, isRefused, count }) => [kind, isRefused, count]),
      [
        ["plaintext", false, 9],
        ["passthrough", false, 3],
        ["plaintext", true, 3],
      ],
    );
    const [first] = callers;
    assert.deepEqual(first?.addresses, ["10.0.0.7", "10.0.0.8"]);
    assert.deepEqual(first.called, ["shop/api-1:80", "shop/api-1:90"]);
    assert.deepEqual([first.firstMs, first.lastMs, first.claim], [7, nowMs, "curl/8"]);
    assert.equal(coverage.connections.unmeshed, 15);
  });

  it("is UNSAFE for a call that the configuration breaks, though it was not seen", () => {
    const verdict = judge({ brokenCalls: [{ client: "shop/old", why: "no proxy" }] });
    assert.equal(verdict.kind, "unsafe");
    assert.deepEqual(verdict.callers[0]?.holder, { kind: "configuration", why: "no proxy" });
    assert.equal(verdict.callers[0].lastMs, undefined);
  });

  it("does not count what was last seen before the look-back, or on another port", () => {
    assert.equal(judge({ seen: [{ ...plain, lastMs: fromMs - 1 }] }).kind, "safe");
    assert.equal(judge({ seen: [{ ...plain, port: 90 }], ports: [80] }).kind, "safe");
    assert.equal(judge({ seen: [{ ...plain, firstMs: 0, lastMs: fromMs }] }).kind, "unsafe");
  });
});

describe("a verdict is UNKNOWN", () => {
  const gapMs = nowMs - 5 * hourMs;
  const next = { ...cut(gapMs, nowMs), epochMs: gapMs };
  const proxy = "proxy/shop/api-1";
  const table: readonly (readonly [string, Partial<VerdictInput>, string, number, number?])[] = [
    ["where there is no proxy", { members: [], spans: [] }, "target/shop/api nobody", fromMs],
    ["for a proxy that never told", { spans: [] }, `${proxy} never-reported`, fromMs],
    [
      "for one that told only of time that has not come",
      { spans: [cut(epochMs, nowMs + 60_001)] },
      `${proxy} never-reported`,
      fromMs,
    ],
    [
      "at once for one whose agent is away, since it has told last",
      { members: [{ ...api, absence: "away" }] },
      `${proxy} away`,
      told.untilMs,
    ],
    [
      "once for one whose agent has been away for long",
      { members: [{ ...api, absence: "away" }], spans: [cut(epochMs, gapMs)] },
      `${proxy} away`,
      gapMs,
    ],
    [
      "for one that nobody has told of since the server's start",
      { members: [{ ...api, absence: "unheard" }] },
      `${proxy} unheard`,
      told.untilMs,
    ],
    [
      "for one that is away and has told nothing",
      { members: [{ ...api, absence: "away" }], spans: [] },
      `${proxy} away`,
      fromMs,
    ],
    [
      "for one that is away and has just come",
      {
        members: [api, { ...api, key: "k2", name: "shop/api-2", bornMs: nowMs, absence: "away" }],
      },
      "proxy/shop/api-2 away",
      nowMs,
    ],
    [
      "at once for one that went while its agent was away, since it has told last",
      {
        members: [{ ...api, goneMs: nowMs - 1_000, absence: "unheard" }],
        spans: [cut(epochMs, nowMs - 20_000)],
      },
      `${proxy} gap`,
      nowMs - 20_000,
      nowMs - 6_000,
    ],
    [
      "for one that is gone and has told nothing, as of a time that is over",
      { members: [{ ...api, goneMs: nowMs - hourMs }], spans: [] },
      `${proxy} gap`,
      fromMs,
      nowMs - hourMs,
    ],
    ["for one that has fallen silent", { spans: [cut(epochMs, gapMs)] }, `${proxy} late`, gapMs],
    [
      "for a time of which it did not tell",
      { spans: [cut(epochMs, gapMs), cut(gapMs + 1, nowMs)] },
      `${proxy} gap`,
      gapMs,
      gapMs + 1,
    ],
    [
      "for an Envoy that was away for longer than it takes to restart",
      { spans: [cut(epochMs, gapMs - 5_001), next] },
      `${proxy} gap`,
      gapMs - 5_001,
      gapMs - 5_000,
    ],
    [
      "for connections that were lost",
      { spans: [{ ...told, lostUnmeshed: 2 }] },
      `${proxy} lost`,
      told.sinceMs,
      told.untilMs,
    ],
    [
      "for open connections whose source nobody knows",
      { spans: [{ ...told, openUnnamed: 2 }] },
      `${proxy} unnamed-open`,
      told.untilMs,
    ],
    [
      "for those that were open when an Envoy ended",
      { spans: [{ ...cut(epochMs, gapMs), openUnnamed: 1 }, next] },
      `${proxy} unnamed-open`,
      gapMs,
    ],
    [
      "for a target that is younger than the look-back",
      { members: [{ ...api, bornMs: gapMs }], spans: [cut(gapMs, nowMs)] },
      "target/shop/api too-young",
      gapMs,
    ],
    [
      "for one whose evidence of before was set aside",
      {
        members: [{ ...api, bornMs: gapMs }],
        spans: [cut(gapMs, nowMs)],
        anewMs: gapMs - 60_000,
      },
      "target/shop/api set-aside",
      gapMs,
    ],
    [
      "for one that is younger than the evidence that was begun anew",
      {
        members: [{ ...api, bornMs: gapMs }],
        spans: [cut(gapMs, nowMs)],
        anewMs: gapMs - 121_000,
      },
      "target/shop/api too-young",
      gapMs,
    ],
    [
      "for a port that is",
      { spans: [told, { ...cut(gapMs, nowMs), port: 90 }] },
      `${proxy} too-young`,
      gapMs,
    ],
    ["for a port that the proxy does not tell of", { ports: [90] }, `${proxy} no-listener`, fromMs],
    [
      "for a proxy that listens on nothing",
      { members: [{ ...api, ports: [] }] },
      `${proxy} no-listener`,
      fromMs,
    ],
    [
      "where only what is new was told, however short the look-back is",
      { lookBackMs: 20_000, spans: [cut(nowMs - 9_000, nowMs), cut(epochMs, nowMs - 30_000)] },
      `${proxy} gap`,
      nowMs - 20_000,
      nowMs - 9_000,
    ],
    [
      "where the look-back begins in a silence of a few seconds, whose beginning nobody asks for",
      { lookBackMs: 20_000, spans: [cut(nowMs - 18_000, nowMs)] },
      `${proxy} gap`,
      nowMs - 20_000,
      nowMs - 18_000,
    ],
  ];
  for (const [title, some, what, sinceMs, untilMs] of table) {
    it(title, () => {
      const verdict = judge(some);
      assert.equal(verdict.kind, "unknown");
      const silent = verdict.silent.map((each) => [
        `${each.name} ${each.reason}`,
        each.sinceMs,
        each.untilMs,
      ]);
      assert.deepEqual(silent, [[what, sinceMs, untilMs]]);
      const seen = [{ ...plain, lastMs: nowMs, port: some.ports?.[0] ?? 80 }];
      assert.equal(judge({ ...some, seen }).kind, "unsafe", "UNSAFE stands above it");
      const waived = judge({ ...some, waived: new Set([what.split(" ")[0] ?? ""]) });
      assert.equal(waived.kind, "safe");
      assert.deepEqual(
        waived.silent.map(({ isWaived }) => isWaived),
        [true],
      );
    });
  }

  it("until the certificates end of what ran in a pod that is gone", () => {
    const absentUntilMs = nowMs + hourMs;
    const { kind, silent, coverage } = judge({
      members: [
        { ...api, absence: "earlier-pod", absentUntilMs },
        { ...api, key: "k2", bornMs: epochMs },
      ],
      spans: [told, { ...told, member: "k2" }],
    });
    assert.equal(kind, "unknown");
    const said = silent.map(({ name, reason, untilMs }) => [name, reason, untilMs]);
    assert.deepEqual(said, [[proxy, "earlier-pod", absentUntilMs]]);
    assert.equal(coverage.members, 1, "one proxy, of two lives");
  });

  it("for the time before, too, of which one that is away did not tell", () => {
    const members = [{ ...api, absence: "away" } as const];
    const { silent } = judge({ members, spans: [cut(epochMs, gapMs), cut(gapMs + 1, nowMs)] });
    assert.deepEqual(
      silent.map(({ reason, sinceMs }) => [reason, sinceMs]),
      [
        ["away", nowMs],
        ["gap", gapMs],
      ],
    );
  });

  it("but not because of a caller's waiver of the same name", () => {
    const waived = new Set(["shop/api-1", "shop/api"]);
    assert.equal(judge({ spans: [], waived }).kind, "unknown");
  });
});

describe("a verdict stays SAFE", () => {
  const restartMs = nowMs - 5 * hourMs;
  const table: readonly (readonly [string, Partial<VerdictInput>])[] = [
    [
      "over an Envoy's restart",
      {
        spans: [cut(epochMs, restartMs - 4_000), { ...cut(restartMs, nowMs), epochMs: restartMs }],
      },
    ],
    [
      "over reports that follow one another",
      { spans: [cut(restartMs, nowMs), cut(epochMs, restartMs)] },
    ],
    ["with lost connections of the mesh", { spans: [{ ...told, lostMeshed: 9 }] }],
    [
      "with losses before the look-back",
      { spans: [{ ...cut(epochMs, fromMs - 1), lostUnmeshed: 1 }, told] },
    ],
    [
      "with open ones whose source was told later",
      { spans: [{ ...cut(epochMs, restartMs), openUnnamed: 1 }, cut(restartMs, nowMs)] },
    ],
    [
      "with a proxy that came and went",
      {
        members: [api, { ...api, key: "k2", bornMs: restartMs, goneMs: restartMs + hourMs }],
        spans: [told, { ...cut(restartMs + 1_000, restartMs + hourMs - 1_000), member: "k2" }],
      },
    ],
    [
      "with a proxy that was away, and gone meanwhile",
      {
        members: [
          { ...api, goneMs: restartMs },
          { ...api, bornMs: restartMs + hourMs },
        ],
        spans: [cut(epochMs, restartMs - 500), cut(restartMs + hourMs + 500, nowMs)],
      },
    ],
    [
      "with a proxy that is gone, whatever its agent does",
      {
        members: [api, { ...api, key: "k2", goneMs: restartMs, absence: "away" }],
        spans: [told, { ...cut(epochMs, restartMs), member: "k2" }],
      },
    ],
    [
      "with a proxy that was gone before",
      { members: [api, { ...api, key: "k2", goneMs: fromMs }] },
    ],
    [
      "with one that has just come",
      { members: [api, { ...api, key: "k2", bornMs: nowMs - 9_000 }] },
    ],
    [
      "of young ones of a target that others have been there of",
      {
        members: [{ ...api, bornMs: restartMs }],
        spans: [cut(restartMs, nowMs)],
        firstBornMs: epochMs,
      },
    ],
    [
      "with a port that is gone from the policy",
      {
        members: [{ ...api, ports: [80] }],
        spans: [told, { ...cut(epochMs, restartMs), port: 90 }],
      },
    ],
  ];
  for (const [title, some] of table) {
    it(title, () => assert.deepEqual([judge(some).silent, judge(some).kind], [[], "safe"]));
  }
});
