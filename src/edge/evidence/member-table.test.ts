import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  coverageOf,
  EVIDENCE_NOW_MS as now,
  EvidenceScene,
  memberOf,
  reportOf,
  seenOf,
} from "../../../test/support/evidence.ts";
import type { EvidenceChange } from "./evidence-change.ts";

const gone = (atMs: number): EvidenceChange => ({ kind: "gone", proxy: "p", atMs });
const lives = (scene: EvidenceScene) =>
  scene.members().map(({ bornMs, goneMs }) => [bornMs - now, goneMs && goneMs - now]);
const open = () => {
  const scene = new EvidenceScene(now - 100_000);
  scene.write(memberOf("p"));
  return scene;
};

describe("a member", () => {
  it("is there from when it was told until it is gone, and told twice it is one", () => {
    using scene = open();
    scene.write(memberOf("p", { atMs: now + 5_000 }), gone(now + 60_000), gone(now + 90_000));
    assert.deepEqual(lives(scene), [[0, 60_000]]);
    assert.deepEqual(scene.members(now + 60_001), []);
  });

  it("was there before it was told, if its Envoy was, and nobody was before the file", () => {
    using scene = open();
    const report = reportOf({ proxy: "p", sequence: 1, epochMs: now - 40_000 });
    scene.write(report);
    assert.deepEqual(lives(scene), [[-40_000, undefined]]);
    scene.write(memberOf("q"), reportOf({ proxy: "q", sequence: 2, epochMs: now - 400_000 }));
    assert.deepEqual(lives(scene)[1], [-100_000, undefined]);
  });

  it("that comes back has another life, which begins with its Envoy", () => {
    using scene = open();
    scene.write(reportOf({ proxy: "p", sequence: 1, coverage: [coverageOf(now, now + 9_000)] }));
    scene.write(gone(now + 10_000), memberOf("p", { atMs: now + 90_000 }));
    scene.write(reportOf({ proxy: "p", sequence: 2, epochMs: now + 80_000 }));
    assert.deepEqual(lives(scene), [
      [0, 10_000],
      [80_000, undefined],
    ]);
  });

  it("that comes back with the Envoy that it had was there all along", () => {
    using scene = open();
    scene.write(reportOf({ proxy: "p", sequence: 1, coverage: [coverageOf(now, now + 9_000)] }));
    scene.write(gone(now + 10_000), memberOf("p", { atMs: now + 90_000 }));
    const coverage = [coverageOf(now + 90_000, now + 100_000)];
    scene.write(reportOf({ proxy: "p", sequence: 2, epochMs: now + 700, coverage }));
    assert.deepEqual(lives(scene), [[0, undefined]]);
    assert.deepEqual(
      scene.spans().map(({ epochMs, sinceMs }) => [epochMs - now, sinceMs - now]),
      [
        [0, 0],
        [0, 90_000],
      ],
    );
  });

  it("whose labels change is two, and the later one has also what was seen under its former labels", () => {
    using scene = open();
    const seen = (atMs: number) => [seenOf(atMs)];
    const before = [coverageOf(now, now + 10_000)];
    scene.write(reportOf({ proxy: "p", sequence: 1, seen: seen(now), coverage: before }));
    scene.write(memberOf("p", { labels: '[["app","other"]]', atMs: now + 17_000 }));
    const after = [coverageOf(now + 10_000, now + 20_000)];
    const later = [...seen(now + 15_000), ...seen(now + 18_000)];
    scene.write(reportOf({ proxy: "p", sequence: 2, seen: later, coverage: after }));
    assert.deepEqual(lives(scene), [
      [0, 17_000],
      [17_000, undefined],
    ]);
    const spans = scene.spans().map(({ sinceMs, untilMs }) => [sinceMs - now, untilMs - now]);
    assert.deepEqual(spans, [
      [0, 17_000],
      [17_000, 20_000],
    ]);
    for (const [app, ...times] of [
      ["web", [0, 15_000]],
      ["other", [0, 15_000], [18_000, 18_000]],
    ] as const) {
      const keys = scene.members(0, { app }).map(({ key }) => key);
      const found = scene.seen(0, keys).map((each) => [each.firstMs - now, each.lastMs - now]);
      assert.deepEqual(found, times);
    }
  });

  it("that takes on the labels of a selector brings its earlier lives, and one that leaves them stays", () => {
    using scene = open();
    const relabelled = (app: string, atMs: number) =>
      memberOf("p", { labels: `[["app","${app}"]]`, atMs });
    scene.write(memberOf("q", { labels: '[["app","db"]]' }));
    scene.write(relabelled("cache", now + 10_000), relabelled("db", now + 20_000));
    const taken = (app: string, sinceMs = 0) =>
      scene.members(sinceMs, { app }).map(({ proxy, bornMs, labels, labelsNow }) => {
        return [proxy, bornMs - now, labels.get("app"), labelsNow?.get("app")];
      });
    const earlier = [
      ["p", 0, "web", "db"],
      ["p", 10_000, "cache", "db"],
    ];
    const db = ["p", 20_000, "db", undefined];
    assert.deepEqual(taken("db"), [earlier[0], ["q", 0, "db", undefined], earlier[1], db]);
    assert.deepEqual(
      taken("db", now + 10_001).map(([, born]) => born),
      [0, 10_000, 20_000],
    );
    assert.deepEqual(taken("web"), [["p", 0, "web", undefined]]);
    scene.write(gone(now + 30_000));
    assert.deepEqual(
      taken("db").map(([proxy]) => proxy),
      ["q", "p"],
    );
  });

  it("whose labels change very often between two reports is covered for some changes, and no more", () => {
    using scene = open();
    for (let at = 1; at <= 20; at++) {
      scene.write(memberOf("p", { labels: `[["app","${at}"]]`, atMs: now + at * 1_000 }));
    }
    scene.write(reportOf({ proxy: "p", sequence: 1, coverage: [coverageOf(now, now + 30_000)] }));
    const bornMs = new Map(scene.members().map(({ key, bornMs: born }) => [key, born]));
    const covered = scene.spans().filter(({ member, sinceMs, untilMs }) => {
      return sinceMs <= (bornMs.get(member) ?? 0) && untilMs > sinceMs;
    });
    assert.deepEqual([scene.members().length, covered.length], [21, 17]);
  });

  it("whose labels nobody has said may be anybody's, until they are said", () => {
    using scene = new EvidenceScene();
    scene.write(memberOf("p", { labels: "" }));
    assert.equal(scene.members(0, { app: "web" }).length, 1);
    scene.write(memberOf("p", { labels: '[["app","other"]]', atMs: now + 1 }));
    assert.equal(scene.members(0, { app: "web" }).length, 0);
    assert.deepEqual(lives(scene), [[0, undefined]]);
  });
});

describe("spans", () => {
  const spans = (scene: EvidenceScene) =>
    scene.spans().map(({ sinceMs, untilMs, lostUnmeshed, openUnnamed }) => {
      return [sinceMs - now, untilMs - now, lostUnmeshed, openUnnamed];
    });
  const tell = (scene: EvidenceScene, ...told: readonly (readonly number[])[]): void => {
    for (const [
      index,
      [since = 0, until = 0, lostUnmeshed = 0, openUnnamed = 0],
    ] of told.entries()) {
      const coverage = [coverageOf(now + since, now + until, { lostUnmeshed, openUnnamed })];
      scene.write(reportOf({ proxy: "p", sequence: index + 1, coverage }));
    }
  };

  it("that touch or overlap are one, with what is open at its end", () => {
    using scene = open();
    tell(scene, [0, 10, 0, 3], [10, 20, 0, 2], [15, 30, 0, 1], [25, 28]);
    assert.deepEqual(spans(scene), [[0, 30, 0, 1]]);
  });

  it("that come late say nothing of what is open now", () => {
    using scene = open();
    const openMeshed = (at: number, until: number, opened: number): void => {
      const open = { openUnnamed: opened, openMeshed: opened };
      const coverage = [coverageOf(now, now + until, open)];
      scene.write(reportOf({ proxy: "p", sequence: at, coverage }));
    };
    openMeshed(1, 30, 2);
    openMeshed(2, 28, 1);
    const ends = () =>
      scene.spans().map(({ untilMs, openUnnamed, openMeshed: meshed }) => {
        return [untilMs - now, openUnnamed, meshed];
      });
    assert.deepEqual(ends(), [[30, 2, 2]]);
    openMeshed(3, 30, 0);
    assert.deepEqual(ends(), [[30, 0, 0]]);
  });

  it("that do not touch show what lies between", () => {
    using scene = open();
    tell(scene, [0, 10], [11, 20]);
    assert.deepEqual(spans(scene), [
      [0, 10, 0, 0],
      [11, 20, 0, 0],
    ]);
  });

  it("in which something was lost stand by themselves, an hour long at most", () => {
    using scene = open();
    const hour = 3_600_000;
    tell(
      scene,
      [0, 10],
      [10, 20, 2],
      [20, 30, 3],
      [30, 40],
      [40, hour + 5, 1],
      [hour + 5, hour + 9, 4],
    );
    assert.deepEqual(spans(scene), [
      [0, 10, 0, 0],
      [10, 30, 5, 0],
      [30, 40, 0, 0],
      [40, hour + 5, 1, 0],
      [hour + 5, hour + 9, 4, 0],
    ]);
  });

  it("of a loss that is known later never spoil what was covered before", () => {
    using scene = open();
    tell(scene, [0, 10], [10, 10, 2], [10, 20]);
    assert.deepEqual(spans(scene), [
      [0, 10, 0, 0],
      [10, 20, 2, 0],
    ]);
  });

  it("of two lives of an Envoy are two", () => {
    using scene = open();
    const report = { proxy: "p", coverage: [coverageOf(now, now + 10)] };
    scene.write(reportOf({ ...report, sequence: 1 }));
    const coverage = [coverageOf(now + 10, now + 20)];
    scene.write(reportOf({ ...report, sequence: 2, epochMs: now + 60_000, coverage }));
    assert.equal(scene.spans().length, 2);
  });
});
