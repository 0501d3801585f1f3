/** A power cut of the server takes a report that it had acknowledged, and its agent is started again before it tells the next one. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AcknowledgedLives } from "../../src/app/agent/connections/acknowledged-lives.ts";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import { ConnectionReporter } from "../../src/app/agent/connections/connection-reporter.ts";
import type { ConnectionReport } from "../../src/core/evidence/connection.ts";
import { gapsIn } from "../../src/core/evidence/coverage-gaps.ts";
import { EVIDENCE_NOW_MS as bornMs, EvidenceScene, memberOf } from "../support/evidence.ts";
import { ToldEnvoy } from "../support/told-envoy.ts";

const name = { proxyId: "web-0", spiffeId: undefined };

/** One life of an agent; its Envoy lives on. */
class Agent {
  readonly #lives: AcknowledgedLives;
  readonly #reporter: ConnectionReporter;
  readonly #scene: EvidenceScene;
  readonly #runId: string;
  readonly envoy: ToldEnvoy;
  #ended: number;

  constructor(scene: EvidenceScene, before?: Agent) {
    this.#scene = scene;
    this.#lives = new AcknowledgedLives(before === undefined ? [] : before.#lives.all);
    this.#runId = (before === undefined ? "ab" : "cd").repeat(16);
    let envoy: ToldEnvoy | undefined;
    const nowMs = (): number => envoy?.nowMs ?? bornMs;
    const feed = new ConnectionFeed({ nowMs, resumed: (key) => this.#lives.resumed(key) });
    const open = () => ({ log: feed.log(name), flushes: feed.observe(name) });
    envoy = new ToldEnvoy({ open, nowMs: bornMs });
    if (before !== undefined) {
      const { epochMs, nowMs: wasMs } = before.envoy;
      envoy.goOn({ epochMs, nowMs: wasMs, ended: before.#ended });
    }
    this.envoy = envoy;
    this.#ended = before === undefined ? 0 : before.#ended;
    const onAcknowledged: AcknowledgedLives["acknowledged"] = (all) =>
      this.#lives.acknowledged(all);
    this.#reporter = new ConnectionReporter({ feed, runId: this.#runId, onAcknowledged });
  }

  call(): void {
    this.#ended += 1;
    this.envoy.call("10.9.9.9");
  }

  /** @param isThere still, after the power cut */
  report(isThere = true): ConnectionReport | undefined {
    const report = this.#reporter.next();
    if (report === undefined) return undefined;
    const { runId, sequence, proxies } = report;
    if (isThere) {
      const kept = proxies.map(({ proxyId: proxy, ...rest }) => ({ proxy, ...rest }));
      const named = { reporter: "agent", runId, sequence, atMs: this.envoy.nowMs, unproven: [] };
      this.#scene.write({ kind: "report", ...named, proxies: kept });
    }
    this.#reporter.acknowledged({ runId, sequence, unproven: [] });
    return report;
  }
}

/** @param lose what was acknowledged last, and is not there */
function whole(lose: (first: Agent) => void): boolean {
  using scene = new EvidenceScene(bornMs);
  scene.write(memberOf(name.proxyId, { atMs: bornMs }));
  const first = new Agent(scene);
  first.call();
  first.envoy.flushes(20);
  first.report();
  lose(first);
  const second = new Agent(scene, first);
  second.envoy.flushes(20);
  second.report();
  const spans = scene.spans();
  const gaps = gapsIn({ fromMs: bornMs + 10_000, toMs: second.envoy.nowMs - 3_000 }, spans);
  return gaps.length === 0 && spans.every(({ lostUnmeshed }) => lostUnmeshed === 0);
}

describe("after a power cut, another life of an agent", () => {
  it("has missed nothing where nobody came and nothing is lost", () => {
    assert.ok(whole((first) => first.envoy.flushes(1)));
  });

  it("has missed the callers of a report that covered nothing, by Envoy's counters", () => {
    const lose = (first: Agent): void => {
      first.call();
      const report = first.report(false);
      assert.deepEqual(
        report?.proxies.map(({ seen, coverage }) => [seen.length, coverage.length]),
        [[1, 0]],
      );
    };
    assert.ok(!whole(lose));
  });

  it("has missed the time of a report that covered it", () => {
    const lose = (first: Agent): void => {
      first.call();
      first.envoy.flushes(10);
      const report = first.report(false);
      assert.equal(report?.proxies[0]?.coverage.length, 1);
    };
    assert.ok(!whole(lose));
  });

  it("has missed both where one is lost after the other", () => {
    const lose = (first: Agent): void => {
      first.call();
      first.envoy.flushes(10);
      first.report(false);
      first.call();
      first.report(false);
    };
    assert.ok(!whole(lose));
  });
});
