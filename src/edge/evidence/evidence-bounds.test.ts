import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  coverageOf,
  EVIDENCE_NOW_MS as now,
  EvidenceScene,
  HOUR_MS,
  memberOf,
  reportOf,
  seenOf,
} from "../../../test/support/evidence.ts";
import type { EvidenceChange } from "./evidence-change.ts";
import { EvidencePruner } from "./evidence-pruner.ts";
import { EvidenceWriter } from "./evidence-writer.ts";
import { IdentityShares } from "./identity-shares.ts";

const web = "spiffe://mesh.test/ns/shop/sa/web";
const other = "spiffe://mesh.test/ns/shop/sa/other";

function callers(count: number, hour = 0) {
  return Array.from({ length: count }, (_, at) => {
    const address = `10.0.${at >> 8}.${at & 255}`;
    return seenOf(now + hour * HOUR_MS, { source: { kind: "address", address } });
  });
}

function counted(scene: EvidenceScene, table: string): number {
  return Number(scene.database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
}

/** Two identities with a proxy each: the first has used up its share. */
function full() {
  const scene = new EvidenceScene(now - HOUR_MS);
  const shares = new IdentityShares(30_000);
  const writer = new EvidenceWriter(scene.database, shares);
  let sequence = 0;
  const tell = (proxy: string, fromMs: number, toMs: number, seen = callers(1)): void => {
    const coverage = [coverageOf(now + fromMs, now + toMs)];
    sequence++;
    writer.write([reportOf({ proxy, reporter: proxy, sequence, seen, coverage })], now);
  };
  writer.write([memberOf("p"), memberOf("q", { spiffeId: other })], now);
  writer.write([reportOf({ proxy: "none", reporter: "p", sequence: 0 })], now);
  tell("p", 0, 10_000, callers(150));
  const spansOf = (proxy: string) => {
    const keys = new Set(
      scene.members().flatMap((each) => (each.proxy === proxy ? [each.key] : [])),
    );
    return scene.spans().flatMap(({ member, sinceMs, untilMs }) => {
      return keys.has(member) ? [[sinceMs - now, untilMs - now]] : [];
    });
  };
  return { scene, shares, writer, tell, spansOf };
}

describe("an identity that has used up its share of the file", () => {
  it("is told of no more, covers nothing, and keeps nobody else from being recorded", () => {
    const { scene, shares, writer, tell, spansOf } = full();
    using _ = scene;
    const before = counted(scene, "callers");
    tell("p", 10_000, 20_000, callers(160, 1));
    assert.equal(counted(scene, "callers"), before);
    assert.deepEqual(spansOf("p"), [[0, 10_000]]);
    writer.write([reportOf({ proxy: "q", reporter: "q", sequence: 1, seen: callers(9) })], now);
    assert.equal(counted(scene, "callers"), before + 9);
    assert.deepEqual(shares.takeBounded(), [{ spiffeId: web, bound: "share" }]);
    tell("p", 20_000, 30_000);
    assert.deepEqual(shares.takeBounded(), []);
  });

  it("is recorded again when there is room, and covers nothing of what was not kept, also under other labels", () => {
    const { scene, writer, tell, spansOf } = full();
    using _ = scene;
    tell("p", 10_000, 20_000);
    const relabelled = memberOf("p", { labels: '[["app","db"]]', atMs: now + 15_000 });
    const after = new EvidenceWriter(scene.database);
    after.write([relabelled], now);
    let sequence = 100;
    for (const until of [30_000, 90_000]) {
      const coverage = [coverageOf(now + 10_000, now + until)];
      sequence++;
      after.write([reportOf({ proxy: "p", reporter: "x", sequence, coverage })], now);
    }
    assert.deepEqual(spansOf("p"), [
      [0, 10_000],
      [15_000, 15_000],
      [30_000, 30_000],
      [60_000, 90_000],
    ]);
    void writer;
  });

  it("has room again when what is past was forgotten", () => {
    const { scene, shares, tell, spansOf } = full();
    using _ = scene;
    const pruner = new EvidencePruner(scene.database, shares);
    const pass = (beforeMs: number): void => {
      while (pruner.prune(beforeMs));
    };
    pass(now);
    assert.equal(shares.isFull(web), true);
    pass(now + 30 * HOUR_MS);
    assert.equal(shares.isFull(web), false);
    tell("p", 0, 90_000);
    assert.equal(spansOf("p").length, 1);
  });

  it("is found full again after a start, when all was counted", () => {
    const { scene } = full();
    using _ = scene;
    const shares = new IdentityShares(30_000);
    const pruner = new EvidencePruner(scene.database, shares);
    while (pruner.prune(now));
    assert.deepEqual([shares.isFull(web), shares.isFull(other)], [true, false]);
  });
});

describe("an identity whose proxies have more lives than are kept", () => {
  const lives = 16_384;
  const over = 20_000;
  const untold = (scene: EvidenceScene, app: string) =>
    scene.members(0, { app }).filter(({ proxy }) => proxy === "");

  it("by relabelling one of them is not heard of the oldest, for whatever labels", () => {
    using scene = new EvidenceScene(now - HOUR_MS);
    const shares = new IdentityShares();
    const writer = new EvidenceWriter(scene.database, shares);
    const changes = Array.from({ length: over }, (_, at) =>
      memberOf("p", { labels: `[["app","${at % 2}"]]`, atMs: now + at }),
    );
    writer.write([memberOf("q", { spiffeId: other }), ...changes], now);
    assert.ok(counted(scene, "members") <= lives + 2);
    const [folded, ...more] = untold(scene, "whatever");
    assert.deepEqual(more, []);
    assert.equal(folded?.bornMs, now);
    assert.ok((folded?.goneMs ?? 0) > now + 60_000);
    assert.equal(
      scene.members(0, { app: "web" }).some(({ proxy }) => proxy === "q"),
      true,
    );
    assert.deepEqual(shares.takeBounded(), [{ spiffeId: web, bound: "lives" }]);
  });

  it("by names that come and go is not heard of the oldest, under their labels, nor is what they saw", () => {
    using scene = new EvidenceScene(now - HOUR_MS);
    const changes = Array.from({ length: over }, (_, at): readonly EvidenceChange[] => {
      const proxy = `p${at}`;
      const seen = at < 3 ? [seenOf(now), seenOf(now + HOUR_MS)] : [];
      const told = reportOf({ proxy, reporter: proxy, sequence: 1, seen });
      return [memberOf(proxy), told, { kind: "gone", proxy, atMs: now + at }];
    });
    scene.write(...changes.flat());
    assert.ok(counted(scene, "members") <= lives + 2);
    assert.deepEqual(
      ["callers", "hours"].map((table) => counted(scene, table)),
      [0, 0],
    );
    assert.equal(untold(scene, "web").length, 1);
    assert.deepEqual(untold(scene, "db"), []);
    scene.prune(now + 30 * HOUR_MS);
    assert.equal(counted(scene, "members"), 0);
  });
});

describe("names that an identity makes up", () => {
  it("of agents have so much room, and the newest are known", () => {
    using scene = new EvidenceScene();
    const count = 20_000;
    const named = (at: number) => {
      const told = reportOf({ proxy: "p", reporter: `${web} ${at}`, sequence: 1 });
      return { ...told, atMs: now + at };
    };
    const others = reportOf({ proxy: "p", reporter: `${other} a`, sequence: 1 });
    scene.write(memberOf("p"), others, ...Array.from({ length: count }, (_, at) => named(at)));
    assert.ok(counted(scene, "reports") <= 16_385);
    const outcomes = scene.writer.write([named(count - 1), others, named(0)], now);
    assert.deepEqual(
      outcomes.map((outcome) => outcome?.isRepeated),
      [true, true, false],
    );
  });

  it("and a proxy that comes and goes all the time is told by the last word of some minutes", () => {
    using scene = new EvidenceScene();
    const held = { address: "10.0.0.1", workload: "shop/p" } as const;
    for (let at = 0; at < 1_000; at++) {
      const isMeshed = at % 2 === 1;
      const atMs = now + at * 1_000;
      if (at > 0) scene.write({ kind: "left", ...held, isMeshed: !isMeshed, atMs });
      scene.write({ kind: "held", ...held, isMeshed, atMs });
    }
    const rows = scene.database.prepare("SELECT * FROM addresses ORDER BY since_ms").all();
    assert.equal(rows.length, 4);
    for (const [at, { until_ms: untilMs }] of rows.entries()) {
      assert.equal(untilMs, rows[at + 1]?.["since_ms"] ?? null);
    }
    assert.deepEqual([rows[0]?.["since_ms"], rows[3]?.["meshed"]], [now, 1]);
  });
});
