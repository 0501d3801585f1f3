import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  coverageOf,
  EVIDENCE_NOW_MS as now,
  EvidenceScene,
  HOUR_MS,
  memberOf,
  reportOf,
  seenOf,
} from "../../../test/support/evidence.ts";
import type { SeenConnections } from "../../core/evidence/connection.ts";
import type { EvidenceChange, ReportChange } from "./evidence-change.ts";
import { EvidenceWriter } from "./evidence-writer.ts";

const run = (name: string): string => name.repeat(32);

describe("a report", () => {
  it("counts once, and is answered again as it was", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p"));
    const report = {
      ...reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }),
      unproven: ["x"],
    };
    const again = { ...report, unproven: [] };
    const outcomes = scene.writer.write([report, again, again], now);
    const repeated = { isRepeated: true, unproven: ["x"] };
    assert.deepEqual(outcomes, [{ isRepeated: false, unproven: ["x"] }, repeated, repeated]);
    assert.deepEqual(
      scene.seen().map(({ count }) => count),
      [1],
    );
  });

  it("of another life of its agent, or of another agent, counts by itself", () => {
    using scene = new EvidenceScene();
    const parts = { proxy: "p", sequence: 1, seen: [seenOf(now)] };
    scene.write(memberOf("p"), reportOf(parts), reportOf({ ...parts, runId: run("c") }));
    scene.write(reportOf({ ...parts, reporter: "other" }));
    assert.deepEqual(
      scene.seen().map(({ count }) => count),
      [3],
    );
  });

  it("about a proxy that nobody has told of says nothing", () => {
    using scene = new EvidenceScene();
    scene.write(reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }));
    assert.equal(scene.database.prepare("SELECT count(*) AS n FROM callers").get()?.["n"], 0);
  });

  it("that fails leaves nothing, and the next one finds what is there", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p"), reportOf({ proxy: "p", sequence: 1, seen: [seenOf(now)] }));
    const source = { kind: "address", address: "10.0.0.2" } as const;
    const good = reportOf({ proxy: "p", sequence: 2, seen: [seenOf(now, { source })] });
    const bad = reportOf({ proxy: "p", sequence: 3, seen: [seenOf(now, { count: Number.NaN })] });
    assert.throws(() => scene.write(good, bad));
    assert.equal(scene.seen().length, 1);
    scene.write(good);
    assert.deepEqual(
      scene.seen().map(({ count }) => count),
      [1, 1],
    );
  });
});

describe("after a report that is not here", () => {
  const minuteMs = 60_000;
  const covering = (sequence: number, fromS: number, toS: number, more: object = {}) => {
    const coverage = ["p", "q"].map((proxy) => {
      const own = coverageOf(now + fromS * 1_000, now + toS * 1_000);
      return { proxy, epochMs: now, seen: [], coverage: [own] };
    });
    return { ...reportOf({ proxy: "p", sequence, ...more }), proxies: coverage };
  };
  const times = (scene: EvidenceScene) =>
    scene.spans().map(({ sinceMs, untilMs }) => [(sinceMs - now) / 1_000, (untilMs - now) / 1_000]);
  const whole = [
    [-10, 20],
    [-10, 20],
  ];
  const broken = [
    [-10, 0],
    [20, 20],
    [-10, 0],
    [20, 20],
  ];
  const lost: Readonly<Record<string, readonly [EvidenceChange, readonly (readonly number[])[]]>> =
    {
      "the next one": [covering(2, 0, 20), whole],
      "one before which another should have been": [covering(3, 0, 20), broken],
      "the first of another life of its agent": [covering(1, 0, 20, { runId: run("c") }), whole],
      "a later one of a life that is not known": [covering(2, 0, 20, { runId: run("c") }), broken],
    };
  for (const [what, [change, expected]] of Object.entries(lost)) {
    const isBroken = expected === broken;
    it(`${what} covers ${isBroken ? "nothing of the time before it came" : "what it says"}`, () => {
      using scene = new EvidenceScene();
      scene.write(memberOf("p"), memberOf("q"), covering(1, -10, 0), change);
      assert.deepEqual(times(scene), expected);
    });
  }

  it("all that its agent tells covers nothing until a minute after it was missed, also where the server ended", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p"), memberOf("q"), covering(1, -10, 0), covering(3, 0, 0));
    const after = new EvidenceWriter(scene.database);
    after.write([covering(4, 0, 30), covering(5, 30, 90), covering(6, 90, 120)], now);
    after.write([covering(1, 120, 130, { runId: run("c") })], now);
    const of = [
      [-10, 0],
      [30, 30],
      [minuteMs / 1_000, 130],
    ];
    assert.deepEqual(times(scene), [...of, ...of]);
  });

  it("what other agents tell covers what they say", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p"), memberOf("q"), reportOf({ proxy: "p", sequence: 5 }));
    scene.write(covering(1, -10, 20, { reporter: "other" }));
    assert.deepEqual(times(scene), whole);
  });

  it("what was lost is kept", () => {
    using scene = new EvidenceScene();
    const coverage = [coverageOf(now, now + 10, { lostUnmeshed: 3 })];
    scene.write(memberOf("p"), reportOf({ proxy: "p", sequence: 2, coverage }));
    assert.deepEqual(
      scene.spans().map(({ lostUnmeshed }) => lostUnmeshed),
      [3],
    );
  });
});

describe("connections", () => {
  it("are summed up over hours, from the hour in which the window begins", () => {
    using scene = new EvidenceScene();
    const at = (hour: number): number => now + hour * HOUR_MS + 1_000;
    scene.write(memberOf("p"));
    for (const [index, hour] of [0, 1, 5, 2].entries()) {
      const seen = [seenOf(at(hour), { count: 10 ** hour, claim: `hour ${hour}` })];
      scene.write(reportOf({ proxy: "p", sequence: index + 1, seen }));
    }
    const summed = (sinceMs: number) =>
      scene.seen(sinceMs).map(({ firstMs, lastMs, count, everFirstMs }) => {
        return [firstMs, lastMs, count, everFirstMs];
      });
    assert.deepEqual(summed(0), [[at(0), at(5), 100_111, at(0)]]);
    assert.deepEqual(summed(at(1)), [[at(1), at(5), 100_110, at(0)]]);
    assert.deepEqual(summed(at(1) + 1), [[at(2), at(5), 100_110, at(0)]]);
    assert.deepEqual(summed(at(3)), [[at(5), at(5), 100_000, at(0)]]);
    assert.deepEqual(summed(at(5) + 1), []);
  });

  it("of more callers than a member has room for count as others", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p"));
    const many = Array.from({ length: 8_200 }, (_, at) => {
      const source = { kind: "address", address: `10.1.${at >> 8}.${at & 255}` } as const;
      return seenOf(now, { source });
    });
    scene.write(reportOf({ proxy: "p", sequence: 1, seen: many }));
    scene.write(reportOf({ proxy: "p", sequence: 2, seen: many }));
    const seen = scene.seen();
    assert.equal(seen.length, 8_193);
    const others = seen.filter(({ source }) => source.kind === "others");
    assert.deepEqual(
      others.map(({ count }) => count),
      [16],
    );
  });

  it("have the same sums in whatever order agents are heard, and however often they repeat themselves", () => {
    fc.assert(
      fc.property(reportsOfAgents, fc.infiniteStream(fc.nat()), (agents, chance) => {
        using plain = new EvidenceScene();
        using mixed = new EvidenceScene();
        const members = agents.map(([first]) => memberOf(first?.proxies[0]?.proxy ?? ""));
        plain.write(...members, ...agents.flat());
        mixed.write(...members);
        for (const change of mixedUp(agents, chance)) mixed.write(change);
        assert.deepEqual(sums(mixed), sums(plain));
        for (const since of [now + HOUR_MS, now + 2.5 * HOUR_MS]) {
          assert.deepEqual(sums(mixed, since), sums(plain, since));
          assert.deepEqual(sums(plain, since), naive(agents.flat(), since));
        }
        assert.deepEqual(mixed.spans(), plain.spans());
      }),
      { numRuns: 60 },
    );
  });
});

const seenArb: fc.Arbitrary<SeenConnections> = fc
  .record({
    port: fc.constantFrom(80, 443),
    kind: fc.constantFrom("mtls", "tls", "plaintext"),
    isRefused: fc.boolean(),
    source: fc.constantFrom({ kind: "others" }, { kind: "address", address: "10.0.0.1" }),
    minute: fc.integer({ min: 0, max: 299 }),
    count: fc.integer({ min: 1, max: 9 }),
  })
  .map(({ minute, ...rest }) => {
    const lastMs = now + minute * 60_000;
    return { ...rest, firstMs: lastMs - 30_000, lastMs, claim: "" };
  });

/** Of each of three agents, in the order of its sequence. */
const reportsOfAgents: fc.Arbitrary<readonly (readonly ReportChange[])[]> = fc
  .array(fc.array(fc.array(seenArb, { maxLength: 4 }), { minLength: 1, maxLength: 5 }), {
    minLength: 3,
    maxLength: 3,
  })
  .map((agents) =>
    agents.map((reports, agent) =>
      reports.map((seen, at) => {
        const coverage = [coverageOf(now + at * 10, now + at * 10 + 10)];
        const named = { proxy: `p${agent}`, reporter: `r${agent}`, sequence: at + 1 };
        return reportOf({ ...named, seen, coverage });
      }),
    ),
  );

/** Each agent's next report is sent when this one was taken; until then, and later, old ones come again. */
function* mixedUp(
  agents: readonly (readonly ReportChange[])[],
  chance: Iterator<number>,
): Generator<EvidenceChange> {
  const next = (max: number): number => Number(chance.next().value) % max;
  const at = agents.map(() => 0);
  while (agents.some((reports, agent) => (at[agent] ?? 0) < reports.length)) {
    const agent = next(agents.length);
    const taken = at[agent] ?? 0;
    const again = agents[agent]?.[next(taken + 1)];
    if (again === undefined) continue;
    if (again.sequence === taken + 1) at[agent] = taken + 1;
    yield again;
  }
}

function sums(scene: EvidenceScene, sinceMs = 0): readonly string[] {
  const names = new Map(scene.members().map(({ key, name }) => [key, name]));
  return scene
    .seen(sinceMs)
    .map(({ member, port, kind, isRefused, source, firstMs, lastMs, count }) => {
      const name = names.get(member) ?? "";
      return `${name} ${port} ${kind} ${isRefused} ${source.kind} ${firstMs} ${lastMs} ${count}`;
    })
    .toSorted();
}

/** From the beginning of the hour on, of whoever was seen since. */
function naive(reports: readonly ReportChange[], sinceMs: number): readonly string[] {
  const rows = reports.flatMap(({ proxies }) =>
    proxies.flatMap(({ proxy, seen }) => seen.map((each) => ({ proxy, ...each }))),
  );
  const groups = Map.groupBy(rows, ({ proxy, port, kind, isRefused, source }) => {
    return `shop/${proxy} ${port} ${kind} ${isRefused} ${source.kind}`;
  });
  const hour = Math.floor(sinceMs / HOUR_MS) * HOUR_MS;
  return [...groups]
    .flatMap(([key, all]) => {
      const lastMs = Math.max(...all.map((each) => each.lastMs));
      if (lastMs < sinceMs) return [];
      const hours = Map.groupBy(all, (each) => Math.floor(each.lastMs / HOUR_MS));
      const counted = all.filter((each) => each.lastMs >= hour);
      const count = counted.reduce((sum, each) => sum + each.count, 0);
      const found = [...hours]
        .toSorted(([a], [b]) => a - b)
        .map(([, rest]) => rest)
        .find((rest) => rest.some((each) => each.lastMs >= Math.max(sinceMs, hour)));
      const firstMs = Math.min(...(found ?? []).map((each) => each.firstMs));
      return [`${key} ${firstMs} ${lastMs} ${count}`];
    })
    .toSorted();
}
