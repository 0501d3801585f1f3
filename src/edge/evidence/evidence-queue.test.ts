import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  EVIDENCE_NOW_MS as now,
  EvidenceScene,
  memberOf,
  reportOf,
  seenOf,
} from "../../../test/support/evidence.ts";
import type { AddressChange, EvidenceChange } from "./evidence-change.ts";
import { EvidenceStoreError } from "./evidence-error.ts";
import { EvidenceQueue } from "./evidence-queue.ts";

function add(queue: EvidenceQueue, change: EvidenceChange): void {
  if (change.kind === "report") queue.report(change, undefined);
  else queue.note(change);
}

/** In groups, as they are written. */
function* taken(queue: EvidenceQueue): Generator<EvidenceChange> {
  while (!queue.isEmpty) for (const { change } of queue.take()) yield change;
}

const proxyChange = fc.record({
  kind: fc.constantFrom("member", "member", "gone", "report"),
  proxy: fc.constantFrom("p", "q"),
  app: fc.constantFrom("a", "b"),
});
const addressChange = fc.record({
  kind: fc.constant("address"),
  proxy: fc.constantFrom("p", "q"),
  // Of a workload that holds an address: whether it has a proxy then; undefined: it leaves it.
  isMeshed: fc.constantFrom(true, false, undefined),
});
const history = fc.array(fc.oneof(proxyChange, addressChange), { maxLength: 40 });
type Step = ReturnType<typeof history.generate>["value"][number];

/** As the server says them, one each second. */
function changesOf(steps: readonly Step[]): readonly EvidenceChange[] {
  const held = new Map<string, AddressChange>();
  return steps.flatMap((step, at): readonly EvidenceChange[] => {
    const { proxy } = step;
    const atMs = now + at * 1_000;
    if ("app" in step) {
      const { kind, app } = step;
      if (kind === "gone") return [{ kind, proxy, atMs }];
      if (kind === "member") return [memberOf(proxy, { labels: `[["app","${app}"]]`, atMs })];
      return [reportOf({ proxy, reporter: proxy, sequence: at + 1, seen: [seenOf(atMs)] })];
    }
    const { isMeshed } = step;
    const before = held.get(proxy);
    if (before?.isMeshed === isMeshed) return [];
    const left = before && [{ ...before, kind: "left" as const, atMs }];
    held.delete(proxy);
    if (isMeshed === undefined) return left ?? [];
    const named = { address: "10.0.0.1", workload: `shop/${proxy}` };
    const holding: AddressChange = { kind: "held", ...named, isMeshed, atMs };
    held.set(proxy, holding);
    return [...(left ?? []), holding];
  });
}

function byText(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1;
}

/** Who is there and under which labels, who was seen how often, and who held the address when. */
function known(scene: EvidenceScene) {
  const open = scene.members().filter(({ goneMs }) => goneMs === undefined);
  const names = new Map(scene.members().map(({ key, proxy }) => [key, proxy]));
  const counts = new Map<string, number>();
  for (const { member, count } of scene.seen()) {
    const name = names.get(member) ?? "";
    counts.set(name, (counts.get(name) ?? 0) + count);
  }
  const held = scene.database
    .prepare("SELECT workload, since_ms, until_ms FROM addresses ORDER BY workload, since_ms")
    .all();
  const spans: unknown[][] = [];
  for (const { workload, since_ms: since, until_ms: until } of held) {
    const last = spans.at(-1);
    if (last !== undefined && last[0] === workload && last[2] === since) last[2] = until;
    else spans.push([workload, since, until]);
  }
  return {
    open: open.map(({ proxy, labels }) => [proxy, labels.get("app")]).toSorted(byText),
    counts: [...counts].toSorted(byText),
    spans: spans.filter(([, since, until]) => since !== until),
  };
}

describe("what waits to be written", () => {
  it("is known afterwards as if all had been written, however often it could not be", () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(60), { maxLength: 4 }), (steps, failures) => {
        const changes = changesOf(steps);
        const queue = new EvidenceQueue();
        const failed = new Set(failures);
        for (const [at, change] of changes.entries()) {
          add(queue, change);
          if (failed.has(at)) queue.putBack(queue.take());
        }
        using each = new EvidenceScene(now - 1_000_000);
        for (const change of changes) each.write(change);
        using joined = new EvidenceScene(now - 1_000_000);
        const left = [...taken(queue)];
        joined.write(...left);
        const reports = (all: readonly EvidenceChange[]) =>
          all.filter(({ kind }) => kind === "report");
        assert.deepEqual(reports(left), reports(changes));
        assert.deepEqual(known(joined), known(each));
      }),
      { numRuns: 200 },
    );
  });

  it("is no more of a proxy or its address than a few changes, whatever becomes of it and however often a write fails", () => {
    const queue = new EvidenceQueue();
    const held = { address: "10.0.0.1", workload: "shop/p" } as const;
    queue.note({ kind: "held", ...held, isMeshed: true, atMs: now });
    for (let at = 1; at < 5_000; at++) {
      const atMs = now + at;
      queue.note(memberOf("p", { labels: `[["app","${at}"]]`, atMs }));
      if (at % 3 === 0) queue.note({ kind: "gone", proxy: "p", atMs });
      const isMeshed = at % 2 === 0;
      queue.note({ kind: "left", ...held, isMeshed: !isMeshed, atMs });
      queue.note({ kind: "held", ...held, isMeshed, atMs });
      if (at % 50 === 0) queue.putBack(queue.take());
    }
    const left = [...taken(queue)];
    assert.ok(left.length <= 8, `${left.length}`);
    assert.equal(left.findLast(({ kind }) => kind === "member")?.kind, "member");
  });

  it("of more proxies than there can be has no room, and is refused for good", () => {
    const queue = new EvidenceQueue();
    const isEnded = (error: unknown) =>
      error instanceof EvidenceStoreError && error.code === "evidence-ended";
    assert.throws(() => {
      for (let at = 0; at < 140_000; at++) queue.note({ kind: "gone", proxy: `${at}`, atMs: now });
    }, isEnded);
    assert.equal(queue.take().length > 0, true);
  });
});
