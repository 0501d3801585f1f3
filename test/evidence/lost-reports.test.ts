import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import { ConnectionReporter } from "../../src/app/agent/connections/connection-reporter.ts";
import { withinTime } from "../../src/app/server/evidence/report-times.ts";
import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import { verdictOf, type Verdict } from "../../src/core/evidence/verdict.ts";
import { EVIDENCE_NOW_MS, EvidenceScene, HOUR_MS, memberOf } from "../support/evidence.ts";
import { ToldEnvoy } from "../support/told-envoy.ts";

const bornMs = EVIDENCE_NOW_MS;
const name = { proxyId: "web-0", spiffeId: undefined };

/** An Envoy, its agent, and the evidence of a server, by one clock. */
class Told implements Disposable {
  readonly #feed = new ConnectionFeed({ nowMs: () => this.nowMs, resumed: () => undefined });
  readonly reporter: ConnectionReporter = new ConnectionReporter({
    feed: this.#feed,
    runId: "ab".repeat(16),
    onAcknowledged: () => undefined,
  });
  readonly envoy: ToldEnvoy;
  readonly #scene = new EvidenceScene(bornMs - 100 * HOUR_MS);
  nowMs: number = bornMs;

  constructor() {
    const open = () => ({ log: this.#feed.log(name), flushes: this.#feed.observe(name) });
    this.envoy = new ToldEnvoy({ open, nowMs: bornMs });
    this.#scene.write(memberOf(name.proxyId, { atMs: bornMs }));
    // Before the look-back: so that the port is known.
    this.envoy.call("10.8.8.8");
  }

  flush(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      this.nowMs += 1_000;
      this.envoy.flush();
    }
  }

  keep({ runId, sequence, proxies }: ConnectionReport): void {
    const times = { oldestMs: this.nowMs - 100 * HOUR_MS, nowMs: this.nowMs };
    const kept = proxies.map((each) => {
      const { epochMs, seen, coverage } = withinTime(each, times);
      return { proxy: each.proxyId, epochMs, seen, coverage };
    });
    const named = { reporter: "agent", runId, sequence, atMs: this.nowMs, unproven: [] };
    this.#scene.write({ kind: "report", ...named, proxies: kept });
  }

  acknowledge({ runId, sequence }: ConnectionReport): void {
    this.reporter.acknowledged({ runId, sequence, unproven: [] });
  }

  /** All that there is. */
  report(): void {
    for (let next = this.reporter.next(); next !== undefined; next = this.reporter.next()) {
      this.keep(next);
      this.acknowledge(next);
    }
  }

  verdict(): Verdict["kind"] {
    const lookBackMs = this.nowMs - bornMs - 5_000;
    return verdictOf({
      target: "shop/web",
      nowMs: this.nowMs,
      lookBackMs,
      ports: [80],
      members: this.#scene.members(bornMs),
      seen: this.#scene.seen(this.nowMs - lookBackMs),
      spans: this.#scene.spans(bornMs),
      holderOf: () => ({ kind: "unknown" }),
      waived: new Set(),
      brokenCalls: [],
      lagMs: 30_000,
    }).kind;
  }

  [Symbol.dispose](): void {
    this.#scene[Symbol.dispose]();
  }
}

/** In the middle of a second, and told before the next flush. */
function seenBetween(told: Told): ConnectionReport {
  told.nowMs += 300;
  told.envoy.nowMs += 300;
  told.envoy.call("10.9.9.9");
  const report = told.reporter.next();
  assert.ok(report !== undefined);
  assert.ok(report.proxies.every(({ coverage }) => coverage.length === 0));
  told.nowMs -= 300;
  told.envoy.nowMs -= 300;
  return report;
}

describe("a verdict", () => {
  it("is SAFE where nobody came without mTLS and every report is there", () => {
    using told = new Told();
    told.flush(10);
    told.report();
    told.flush(90);
    told.report();
    assert.equal(told.verdict(), "safe");
  });

  for (const [what, isThere, kind] of [
    ["UNSAFE where the report of a new caller is there", true, "unsafe"],
    ["UNKNOWN where a power cut took it after it was acknowledged", false, "unknown"],
  ] as const) {
    it(`is ${what}`, () => {
      using told = new Told();
      told.flush(10);
      told.report();
      const report = seenBetween(told);
      if (isThere) told.keep(report);
      told.acknowledge(report);
      told.flush(90);
      told.report();
      assert.equal(told.verdict(), kind);
    });
  }

  it("is UNKNOWN where the agent has given up a part of what it saw", () => {
    using told = new Told();
    told.flush(10);
    told.report();
    told.envoy.call("10.9.9.9", 80);
    for (let port = 81; port < 86; port++) {
      for (let at = 0; at < 900; at++) told.envoy.call(`10.1.${at >> 8}.${at & 255}`, port);
    }
    told.flush(90);
    const first = told.reporter.next();
    assert.ok(first !== undefined);
    assert.ok(first.proxies.some(({ seen }) => seen.some(({ port }) => port === 80)));
    assert.ok(first.proxies.every(({ coverage }) => coverage.length === 0));
    for (let refusal = 0; refusal < 3; refusal++) told.reporter.refused();
    told.report();
    assert.equal(told.verdict(), "unknown");
  });
});
