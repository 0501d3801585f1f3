/** The verdict against one that asks each second of each port by itself, and what must hold of it whatever was told. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AddressHistory } from "./address-history.ts";
import type { Source } from "./connection.ts";
import type { Member, MemberSeen, MemberSpan } from "./member.ts";
import { verdictOf, type VerdictInput } from "./verdict.ts";

const nowMs = 60_000;
const keys = ["k1", "k2", "k3"];
const ports = [80, 90];
/** All times are whole seconds, so that a model can go through them. */
const second = (max = 60): fc.Arbitrary<number> => fc.nat({ max }).map((s) => s * 1_000);

const member = (key: string): fc.Arbitrary<Member> =>
  fc.record({
    key: fc.constant(key),
    name: fc.constantFrom("shop/api-1", "shop/api-2"),
    bornMs: fc.oneof(fc.constant(0), second()),
    goneMs: fc.option(second(), { nil: undefined, freq: 3 }),
    ports: fc.option(fc.subarray(ports), { nil: undefined, freq: 2 }),
    absence: fc.constantFrom(undefined, undefined, undefined, undefined, "away", "unheard"),
  });

const span: fc.Arbitrary<MemberSpan> = fc
  .tuple(second(), second(), fc.boolean())
  .chain(([a, b, isWhole]) =>
    fc.record({
      member: fc.constantFrom(...keys),
      epochMs: fc.constantFrom(0, 0, 20_000),
      port: fc.constantFrom(...ports),
      sinceMs: fc.constant(isWhole ? 0 : Math.min(a, b)),
      untilMs: fc.constant(isWhole ? nowMs : Math.max(a, b)),
      lostUnmeshed: fc.constantFrom(0, 0, 0, 0, 2),
      lostMeshed: fc.constantFrom(0, 1),
      openUnnamed: fc.constantFrom(0, 0, 0, 0, 1),
    }),
  );

const source: fc.Arbitrary<Source> = fc.oneof(
  fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "127.0.0.1").map((address) => ({
    kind: "address" as const,
    address,
  })),
  fc.constant({ kind: "identity" as const, spiffeId: "spiffe://td/a" }),
  fc.constant({ kind: "others" as const }),
);

const row: fc.Arbitrary<MemberSeen> = fc.tuple(second(), second()).chain(([a, b]) =>
  fc.record({
    member: fc.constantFrom(...keys),
    port: fc.constantFrom(...ports),
    kind: fc.constantFrom("mtls", "mtls", "mtls", "tls", "passthrough", "plaintext"),
    isRefused: fc.constantFrom(false, false, false, true),
    source,
    firstMs: fc.constant(Math.min(a, b)),
    lastMs: fc.constant(Math.max(a, b)),
    count: fc.integer({ min: 1, max: 9 }),
    claim: fc.constantFrom("", "curl"),
  }),
);

const history = new AddressHistory([
  { address: "10.0.0.1", name: "shop/web", isMeshed: true, sinceMs: 0, untilMs: undefined },
  { address: "10.0.0.2", name: "shop/api-1", isMeshed: true, sinceMs: 0, untilMs: 30_000 },
  { address: "10.0.0.2", name: "shop/web", isMeshed: false, sinceMs: 30_000, untilMs: undefined },
]);

const waivable = [
  "shop/web",
  "shop/api-1",
  "10.0.0.2",
  "10.0.0.3",
  "spiffe://td/a",
  "others",
  "proxy/shop/api-1",
  "proxy/shop/api-2",
  "target/shop/api",
];

const world: fc.Arbitrary<VerdictInput> = fc.record({
  target: fc.constant("shop/api"),
  nowMs: fc.constant(nowMs),
  lookBackMs: fc.constantFrom(10_000, 40_000, 60_000),
  ports: fc.option(fc.constantFrom([80], [80, 90]), { nil: undefined }),
  members: fc.subarray(keys).chain((some) => fc.tuple(...some.map(member))),
  seen: fc.array(row, { maxLength: 4 }),
  spans: fc.array(span, { maxLength: 8 }),
  holderOf: fc.constant(history.holderOf.bind(history)),
  waived: fc.subarray(waivable).map((some) => new Set(some)),
  brokenCalls: fc.constantFrom([], [], [{ client: "shop/web", why: "no proxy" }]),
  lagMs: fc.constantFrom(0, 4_000, 30_000),
});

describe("a verdict", () => {
  it("is the one of a model that asks each second, and names the same", () => {
    const counts = { safe: 0, unsafe: 0, unknown: 0 };
    fc.assert(
      fc.property(world, (input) => {
        const verdict = verdictOf(input);
        const callers = naiveCallers(input);
        const silent = naiveSilent(input);
        const isCounted = (name: string): boolean => !input.waived.has(name);
        const worst = silent.some(isCounted) ? "unknown" : "safe";
        assert.equal(verdict.kind, callers.some(isCounted) ? "unsafe" : worst);
        assert.deepEqual(namesOf(verdict.callers), new Set(callers));
        assert.deepEqual(namesOf(verdict.silent), new Set(silent));
        for (const each of [...verdict.callers, ...verdict.silent]) {
          assert.equal(each.isWaived, !isCounted(each.name));
        }
        counts[verdict.kind] += 1;
      }),
      { numRuns: 20_000 },
    );
    for (const [kind, count] of Object.entries(counts)) assert.ok(count > 400, `${kind} ${count}`);
  });

  it("counts each connection without mTLS, whoever it was, once", () => {
    fc.assert(
      fc.property(world, (input) => {
        const { callers, coverage } = verdictOf(input);
        const counted = callers.reduce((sum, { count }) => sum + count, 0);
        const rows = Array.from(input.seen).filter((each) => isLookedAt(each, input));
        assert.equal(counted, coverage.connections.unmeshed);
        assert.equal(
          counted + coverage.connections.mtls,
          rows.reduce((sum, { count }) => sum + count, 0),
        );
      }),
    );
  });

  it("is the same in whatever order things were told", () => {
    fc.assert(
      fc.property(world, (input) => {
        const { members, seen, spans } = input;
        const other = verdictOf({
          ...input,
          members: members.toReversed(),
          seen: [...seen].toReversed(),
          spans: spans.toReversed(),
        });
        const verdict = verdictOf(input);
        assert.equal(other.kind, verdict.kind);
        assert.deepEqual(other.silent, verdict.silent);
        assert.deepEqual(other.coverage, verdict.coverage);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is not UNKNOWN for more that was told, nor SAFE for less", () => {
    let safe = 0;
    fc.assert(
      fc.property(world, span, fc.nat(), (input, more, at) => {
        const { spans, members } = input;
        // Where nobody says what a proxy listens on, a port that it tells of is one more to ask for.
        const isKnown = input.ports !== undefined || members.every((each) => each.ports);
        const good = { ...more, lostUnmeshed: 0, openUnnamed: 0 };
        if (!isKnown && !spans.some((each) => isLike(each, good))) return;
        // What is newer than the lag may show what is missing before it.
        if (good.untilMs > nowMs - Math.min(input.lagMs, input.lookBackMs / 2)) return;
        const before = verdictOf(input).kind;
        const after = verdictOf({ ...input, spans: spans.toSpliced(at, 0, good) }).kind;
        if (before === "safe") safe += 1;
        assert.equal(before === "safe" && after !== "safe", false);
      }),
      { numRuns: 20_000 },
    );
    assert.ok(safe > 400, `${safe}`);
  });

  it("is not SAFE for a caller that was lost instead of seen", () => {
    fc.assert(
      fc.property(world, row, (input, lost) => {
        const given = { ...input, waived: new Set<string>(), seen: [lost] };
        const at = given.spans.findIndex(({ member }) => member === lost.member);
        const [there] = given.spans.slice(at);
        if (verdictOf(given).kind !== "unsafe" || at === -1 || there === undefined) return;
        const span = { ...there, port: lost.port, untilMs: lost.lastMs, lostUnmeshed: lost.count };
        const spans = [...given.spans, span];
        assert.notEqual(verdictOf({ ...given, seen: [], spans }).kind, "safe");
      }),
      { numRuns: 5_000 },
    );
  });

  it("is not SAFE where one that was there has told nothing", () => {
    fc.assert(
      fc.property(world, (input) => {
        const given = { ...input, waived: new Set<string>(), spans: [] };
        const dueMs = nowMs - Math.min(input.lagMs, input.lookBackMs / 2);
        const isDue = input.members.some(
          ({ bornMs, goneMs }) =>
            Math.min(dueMs, (goneMs ?? nowMs) - 5_000) >
            Math.max(nowMs - input.lookBackMs, bornMs + 5_000),
        );
        if (isDue || input.members.length === 0) assert.notEqual(verdictOf(given).kind, "safe");
      }),
      { numRuns: 2_000 },
    );
  });
});

function namesOf(all: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(all.map(({ name }) => name));
}

function isLike(a: MemberSpan, b: MemberSpan): boolean {
  return a.member === b.member && a.port === b.port;
}

function isAsked(port: number, input: VerdictInput): boolean {
  return input.ports === undefined || input.ports.includes(port);
}

function isLookedAt({ lastMs, port }: MemberSeen, input: VerdictInput): boolean {
  return lastMs >= nowMs - input.lookBackMs && isAsked(port, input);
}

function naiveCallers(input: VerdictInput): string[] {
  const names: string[] = input.brokenCalls.map(({ client }) => client);
  for (const each of input.seen) {
    if (!isLookedAt(each, input) || (each.kind === "mtls" && !each.isRefused)) continue;
    const { source } = each;
    const own = input.members.find(({ key }) => key === each.member)?.name ?? each.member;
    if (source.kind === "others") names.push("others");
    else if (source.kind === "identity") names.push(source.spiffeId);
    else if (source.address === "127.0.0.1") names.push(own);
    else {
      const holder = input.holderOf(source.address, each.firstMs, each.lastMs);
      names.push(holder.kind === "workload" ? holder.name : source.address);
    }
  }
  return names;
}

function naiveSilent(input: VerdictInput): string[] {
  const fromMs = nowMs - input.lookBackMs;
  const names: string[] = [];
  const there = input.members.filter(({ goneMs }) => (goneMs ?? Infinity) > fromMs);
  if (!there.some(({ bornMs }) => bornMs <= fromMs)) names.push("target/shop/api");
  const nameOf = (key: string): string =>
    `proxy/${input.members.find((each) => each.key === key)?.name ?? key}`;
  for (const span of input.spans) {
    if (span.untilMs < fromMs || !isAsked(span.port, input)) continue;
    if (span.lostUnmeshed > 0) names.push(nameOf(span.member));
    const isLast = !input.spans.some(
      (other) =>
        isLike(other, span) && other.epochMs === span.epochMs && other.untilMs > span.untilMs,
    );
    if (span.openUnnamed > 0 && isLast) names.push(nameOf(span.member));
  }
  for (const member of input.members) {
    const isAbsent = member.absence !== undefined && member.goneMs === undefined;
    if (isAbsent || isUntold(member, fromMs, input)) names.push(nameOf(member.key));
  }
  return names;
}

function isUntold(member: Member, fromMs: number, input: VerdictInput): boolean {
  const told = input.spans.filter((span) => span.member === member.key);
  const toldPorts = told.map(({ port }) => port);
  const listened = member.ports?.filter((port) => isAsked(port, input)) ?? input.ports ?? toldPorts;
  const isSilenced = member.goneMs !== undefined && member.absence !== undefined;
  const lagMs = isSilenced ? 0 : Math.min(input.lagMs, input.lookBackMs / 2);
  for (let ms = fromMs; ms < nowMs; ms += 1_000) {
    const endMs = ms + 1_000;
    const isAlive =
      ms >= member.bornMs + 5_000 && endMs <= (member.goneMs ?? nowMs + 5_000) - 5_000;
    if (!isAlive) continue;
    const isDue = endMs <= nowMs - lagMs;
    if (listened.length === 0 && isDue) return true;
    for (const port of listened) {
      const isOverdue = told.some((span) => span.port === port && span.untilMs >= endMs);
      if (!isDue && !isOverdue) continue;
      if (!told.some((span) => isToldBy(span, port, ms, told))) return true;
    }
  }
  return false;
}

function isToldBy(
  { port, epochMs, sinceMs, untilMs }: MemberSpan,
  wanted: number,
  ms: number,
  told: readonly MemberSpan[],
): boolean {
  if (port !== wanted) return false;
  const isBeginning = !told.some(
    (other) => other.port === port && other.epochMs === epochMs && other.sinceMs < sinceMs,
  );
  const isFirst = isBeginning && sinceMs <= epochMs + 5_000;
  return (isFirst ? sinceMs - 5_000 : sinceMs) <= ms && ms + 1_000 <= untilMs;
}
