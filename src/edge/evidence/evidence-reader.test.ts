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
import type { PortCoverage } from "../../core/evidence/connection.ts";
import type { PortSummary, StoredSeen } from "./evidence-question.ts";

const minute = 60_000;

function seen(scene: EvidenceScene, sinceMs: number, isMtlsSummed: boolean): readonly StoredSeen[] {
  const members = scene.members().map(({ key }) => key);
  const asked = { kind: "seen", members, ports: undefined, isRefusedOnly: false } as const;
  return scene.reader.answer({ ...asked, sinceMs, isMtlsSummed }) as readonly StoredSeen[];
}

function summary(scene: EvidenceScene, sinceMs: number) {
  const question = { kind: "summary", namespace: "shop", sinceMs } as const;
  const ports = scene.reader.answer(question) as readonly PortSummary[];
  return ports.map(({ proxy, port, mtls, openMeshed }) => [proxy, port, mtls, openMeshed]);
}

describe("who was seen", () => {
  it("with mTLS is one row for each port where only their number is asked for, and all others stay", () => {
    using scene = new EvidenceScene();
    const rows = Array.from({ length: 60 }, (_, at) => {
      const source = { kind: "address", address: `10.0.0.${at % 20}` } as const;
      const kind = at % 3 === 0 ? "plaintext" : "mtls";
      const more = { port: 80 + (at % 2), isRefused: at % 5 === 0, count: at + 1 };
      return seenOf(now + (at % 4) * HOUR_MS + at, { source, kind, ...more });
    });
    scene.write(memberOf("p"), reportOf({ proxy: "p", sequence: 1, seen: rows }));
    const isSum = ({ kind, isRefused }: StoredSeen): boolean => kind === "mtls" && !isRefused;
    for (const sinceMs of [0, now + HOUR_MS, now + 2.5 * HOUR_MS]) {
      const each = seen(scene, sinceMs, false);
      const summed = seen(scene, sinceMs, true);
      const others = (all: readonly StoredSeen[]) => all.filter((row) => !isSum(row));
      assert.deepEqual(others(summed), others(each));
      const sums = Map.groupBy(each.filter(isSum), ({ port }) => port);
      assert.deepEqual(
        summed.filter(isSum).map(({ port, count, lastMs }) => [port, count, lastMs]),
        Array.from(sums, ([port, all]) => {
          const count = all.reduce((sum, row) => sum + row.count, 0);
          return [port, count, Math.max(...all.map(({ lastMs }) => lastMs))];
        }).toSorted(([a = 0], [b = 0]) => a - b),
      );
    }
  });

  it("is told from the hour on in which the window begins, whose first call may lie before it", () => {
    using scene = new EvidenceScene();
    const calls = [10, 50, 130].map((at) => seenOf(now + at * minute));
    scene.write(memberOf("p"), reportOf({ proxy: "p", sequence: 1, seen: calls }));
    const told = (sinceMs: number) =>
      scene.seen(now + sinceMs * minute).map(({ count, firstMs }) => {
        return [count, (firstMs - now) / minute];
      });
    assert.deepEqual([told(30), told(60)], [[[3, 10]], [[1, 130]]]);
  });
});

describe("a port in short", () => {
  it("says how many connections with mTLS were open when it was told last, also where none has ended", () => {
    using scene = new EvidenceScene();
    const open = (fromMs: number, toMs: number, openMeshed: number | undefined, port = 8080) =>
      coverageOf(now + fromMs, now + toMs, { port, openMeshed });
    const told = (sequence: number, epochMs: number, ...coverage: readonly PortCoverage[]) =>
      reportOf({ proxy: "p", sequence, epochMs, coverage });
    scene.write(memberOf("p"), told(1, now, open(0, 10, 3), open(0, 10, 2, 9090)));
    scene.write(memberOf("p", { labels: '[["app","db"]]', atMs: now + 10 }));
    scene.write(told(2, now, open(10, 20, 5), open(10, 20, undefined, 9090)));
    assert.deepEqual(summary(scene, now), [["p", 8080, 0, 5]]);
    const ended = [seenOf(now + 25, { kind: "mtls", count: 4 })];
    const next = reportOf({ proxy: "p", sequence: 3, seen: ended, coverage: [open(20, 30, 1)] });
    scene.write(next);
    assert.deepEqual(summary(scene, now), [["p", 8080, 4, 1]]);
    assert.deepEqual(summary(scene, now + 31), []);
  });
});
