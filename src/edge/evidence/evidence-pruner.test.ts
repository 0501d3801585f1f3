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
import type { AddressChange } from "./evidence-change.ts";

describe("pruning", () => {
  it("changes no answer about the time that is kept, also of what comes afterwards", () => {
    const hours = fc.array(fc.tuple(fc.nat(40), fc.nat(2), fc.integer({ min: 1, max: 9 })), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(hours, hours, fc.nat(40), fc.nat(10), (before, after, cutoff, more) => {
        using kept = new EvidenceScene();
        using pruned = new EvidenceScene();
        for (const scene of [kept, pruned]) scene.write(memberOf("p"));
        const beforeMs = now + cutoff * HOUR_MS;
        const write = (rows: typeof before, first: number, fromHour: number): void => {
          const changes = rows.map(([hour, caller, count], at) => {
            const source = { kind: "address", address: `10.0.0.${caller}` } as const;
            const seen = [seenOf(now + (fromHour + hour) * HOUR_MS + 7, { source, count })];
            return reportOf({ proxy: "p", sequence: first + at, seen });
          });
          for (const scene of [kept, pruned]) scene.write(...changes);
        };
        write(before, 1, 0);
        pruned.prune(beforeMs);
        // What is older than is kept is not taken any more.
        write(after, 1_000, cutoff);
        const sinceMs = beforeMs + more * HOUR_MS;
        assert.deepEqual(answer(pruned, sinceMs), answer(kept, sinceMs));
        pruned.prune(beforeMs);
        assert.deepEqual(answer(pruned, sinceMs), answer(kept, sinceMs));
      }),
      { numRuns: 60 },
    );
  });

  it("leaves nothing of what is past, and whoever comes again is counted", () => {
    using scene = new EvidenceScene();
    const held = { address: "10.0.0.1", workload: "shop/p", isMeshed: true };
    const addresses: AddressChange[] = [
      { kind: "held", ...held, atMs: now },
      { kind: "left", ...held, atMs: now + 1 },
    ];
    const seen = [seenOf(now)];
    const coverage = [coverageOf(now, now + 10)];
    const gone = { kind: "gone", proxy: "p", atMs: now + 20 } as const;
    scene.write(memberOf("p"), ...addresses);
    scene.write(reportOf({ proxy: "p", sequence: 1, seen, coverage }), gone, memberOf("q"));
    scene.prune(now + 30 * HOUR_MS);
    const left = ["reports", "callers", "hours", "spans", "sources", "addresses"].map(
      (table) => scene.database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"],
    );
    assert.deepEqual(left, [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(
      scene.members().map(({ name }) => name),
      ["shop/q"],
    );
    scene.write(memberOf("p", { atMs: now + 30 * HOUR_MS }));
    const again = seenOf(now + 31 * HOUR_MS, { count: 4 });
    scene.write(reportOf({ proxy: "p", sequence: 2, seen: [again] }));
    assert.deepEqual(
      scene.seen().map(({ count, everFirstMs }) => [count, everFirstMs]),
      [[4, now + 31 * HOUR_MS]],
    );
  });

  it("goes through many callers in pieces", () => {
    using scene = new EvidenceScene();
    const members = Array.from({ length: 3 }, (_, at) => memberOf(`p${at}`));
    scene.write(...members);
    for (const [at, { proxy }] of members.entries()) {
      const seen = Array.from({ length: 700 }, (_, caller) => {
        const address = `10.0.${caller >> 8}.${caller & 255}`;
        const hour = caller % 2 === 0 ? 0 : 50;
        return seenOf(now + hour * HOUR_MS, { source: { kind: "address", address } });
      });
      scene.write(reportOf({ proxy, sequence: at + 1, seen }));
    }
    scene.prune(now + 10 * HOUR_MS);
    assert.equal(scene.seen().length, 3 * 350);
  });
});

function answer(scene: EvidenceScene, sinceMs: number) {
  return scene
    .seen(sinceMs)
    .map(({ source, count, firstMs, lastMs }) => [JSON.stringify(source), count, firstMs, lastMs])
    .toSorted((a, b) => String(a).localeCompare(String(b)));
}
