import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ToldEnvoy } from "../../../../test/support/told-envoy.ts";
import type { ConnectionReport, ProxyConnections } from "../../../core/evidence/connection.ts";
import { ConnectionFeed } from "./connection-feed.ts";
import type { CountedConnections } from "./connection-recorder.ts";
import { ConnectionReporter } from "./connection-reporter.ts";

const spiffeId = "spiffe://td.test/ns/a/sa/b";

class Rig {
  nowMs = 1_000_000_000;
  readonly acknowledged: CountedConnections[] = [];
  readonly reporter: ConnectionReporter;
  readonly envoy: ToldEnvoy;
  /** Of the server: what it has decided of each report, once. */
  readonly #decided = new Map<number, ConnectionReport | "unproven">();

  constructor() {
    const feed = new ConnectionFeed({ nowMs: () => this.nowMs, resumed: () => undefined });
    this.reporter = new ConnectionReporter({
      feed,
      runId: "ab".repeat(16),
      onAcknowledged: (all) => this.acknowledged.push(...all),
    });
    const name = { proxyId: "web-0", spiffeId };
    const open = () => ({ log: feed.log(name), flushes: feed.observe(name) });
    this.envoy = new ToldEnvoy({ open, nowMs: this.nowMs });
  }

  flush(): void {
    this.nowMs += 1_000;
    this.envoy.flush();
  }

  /** What is on its way, or is the next. */
  get due(): ConnectionReport | undefined {
    return this.reporter.unacknowledged ?? this.reporter.next();
  }

  /** @param isProven whether it may speak for the workload */
  take(report: ConnectionReport, isProven = true): void {
    if (this.#decided.has(report.sequence)) return;
    this.#decided.set(report.sequence, isProven ? report : "unproven");
  }

  acknowledge({ runId, sequence }: ConnectionReport): void {
    const isProven = this.#decided.get(sequence) !== "unproven";
    this.reporter.acknowledged({ runId, sequence, unproven: isProven ? [] : [spiffeId] });
  }

  get kept(): ProxyConnections[] {
    return [...this.#decided.values()].flatMap((each) => (each === "unproven" ? [] : each.proxies));
  }

  get calls(): number {
    const rows = this.kept.flatMap(({ seen }) => seen);
    return rows.reduce((sum, { count }) => sum + count, 0);
  }
}

test("tells of each call once, whatever gets lost of reports and of what answers them", () => {
  const step = fc.constantFrom("call", "call", "flush", "lost", "unanswered", "unproven", "kept");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rig = new Rig();
      rig.flush();
      let calls = 0;
      for (const each of [...steps, "flush", "kept", "kept", "flush", "kept"]) {
        if (each === "call") {
          calls += 1;
          rig.envoy.call(`10.0.0.${calls}`);
        } else if (each === "flush") rig.flush();
        else {
          const report = rig.due;
          if (report === undefined || each === "lost") continue;
          rig.take(report, each !== "unproven");
          if (each !== "unanswered") rig.acknowledge(report);
        }
      }
      assert.equal(rig.calls, calls);
      assert.deepEqual(rig.acknowledged, rig.kept);
    }),
  );
});

test("has one report on its way, and numbers them", () => {
  const rig = new Rig();
  rig.flush();
  assert.equal(rig.reporter.next(), undefined, "there is nothing to tell");
  rig.envoy.call("10.0.0.1");
  rig.flush();
  const first = rig.reporter.next();
  assert.equal(first?.sequence, 1);
  rig.envoy.call("10.0.0.2");
  assert.equal(rig.reporter.next(), undefined);
  assert.equal(rig.reporter.unacknowledged, first);
  assert.ok(!rig.reporter.acknowledged({ runId: first.runId, sequence: 2, unproven: [] }));
  assert.ok(!rig.reporter.acknowledged({ runId: "00".repeat(16), sequence: 1, unproven: [] }));
  rig.acknowledge(first);
  assert.equal(rig.reporter.next()?.sequence, 2);
});

test("tells of thousands of sources in reports that a message can carry", () => {
  const rig = new Rig();
  rig.flush();
  for (let port = 80; port < 84; port++) {
    for (let at = 0; at < 1_024; at++) rig.envoy.call(`10.0.${at >> 8}.${at & 255}`, port);
  }
  rig.flush();
  let reports = 0;
  for (let report = rig.due; report !== undefined; report = rig.due) {
    reports += 1;
    rig.take(report);
    rig.acknowledge(report);
    if (!rig.reporter.isInTheMiddle) break;
  }
  assert.equal(rig.calls, 4_096);
  assert.ok(reports > 1);
});

test("tells of no Envoy what it covers before all of its callers are kept", () => {
  const rig = new Rig();
  rig.flush();
  for (let port = 80; port < 84; port++) {
    for (let at = 0; at < 1_024; at++) rig.envoy.call(`10.0.${at >> 8}.${at & 255}`, port);
  }
  for (let second = 0; second < 5; second++) rig.flush();
  let isCovered = false;
  for (let turn = 0; turn < 20; turn++) {
    const report = rig.due;
    if (report === undefined) break;
    // The first of each three pieces is not proven.
    const isProven = turn % 3 !== 0;
    rig.take(report, isProven);
    if (isProven) {
      const covers = report.proxies.some(({ coverage }) => coverage.length > 0);
      isCovered ||= covers;
      if (covers) assert.equal(rig.calls, 4_096);
    }
    rig.acknowledge(report);
    if (isCovered) break;
  }
  assert.ok(isCovered);
});

test("drops a report that the server has ended three streams for, and goes on", () => {
  const rig = new Rig();
  rig.flush();
  rig.envoy.call("10.0.0.1");
  rig.flush();
  const first = rig.due;
  rig.reporter.refused();
  rig.reporter.refused();
  assert.equal(rig.due, first);
  rig.reporter.refused();
  rig.envoy.call("10.0.0.2");
  assert.equal(rig.due?.sequence, 2);
});
