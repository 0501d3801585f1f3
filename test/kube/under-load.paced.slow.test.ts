/**
 * A server that 200 pods a second ask, while its API server is killed, frozen, throttled. Whoever exists gets a certificate as long as what
 * is known of it is recent enough; after that nobody does, each is told to come back, and nothing piles up.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CODE } from "../server/grpc-wire.ts";
import { eventually } from "../support/control-plane.ts";
import type { Workload } from "./cluster-callers.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { CuttablePath } from "./cuttable-path.ts";
import { applyRights, ourAccount, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";
import { p99Ms, SteadyCalls, tally, type CallOutcome } from "./steady-calls.ts";
import { throttle } from "./throttle.ts";
import { resignToken } from "./token-review.ts";

const perSecond = 200;
const limitMs = 10_000;
/** Questions are asked each second and have a second. */
const slackMs = 2_500;
/** Its retries have become 8 s and more by then. */
const backWithinMs = 6_000;
/** On two cores that the load, the API server and others share. */
const p99MsMax = 3_000;
/** A question has 5 s. */
const heldMsMax = 10_000;
const memoryMiBMax = 100;

describe("under 200 requests a second, a server", { skip: skipKube, timeout: 400_000 }, () => {
  let cluster: Cluster;
  let pods: readonly Workload[];

  before(async () => {
    cluster = await startCluster();
    await applyRights(cluster);
  });
  after(() => cluster.stop());

  const fill = async (rig: ServerRig): Promise<void> => {
    const namespace = await cluster.namespace("load");
    pods = await Promise.all(Array.from({ length: 40 }, () => rig.workload({}, namespace)));
  };
  const tokens = (): (() => string) => {
    let at = 0;
    return () => pods[at++ % pods.length]?.token ?? "";
  };

  describe("that goes by watches", () => {
    let path: CuttablePath;
    let rig: ServerRig;
    before(async () => {
      path = await CuttablePath.open(cluster.url);
      rig = await ServerRig.start(cluster, { url: path.url });
      await fill(rig);
    });
    after(async () => {
      await rig[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
    });
    beforeEach(() => isWatched());

    const isWatched = (): Promise<unknown> =>
      eventually(async () => (await rig.status()).tokenCheck === "watched", 60_000);

    it("refuses nobody while the API server is killed and comes again in time", async (t) => {
      await using calls = new SteadyCalls(rig, { perSecond, token: tokens() });
      // A quiet cluster: the watches have said nothing for longer than the limit.
      await sleep(limitMs + 2_000);
      const memoryMiB = await rig.memoryMiB();
      const killedMs = performance.now();
      await cluster.kill();
      await sleep(1_000);
      await cluster.restart();
      const awayMs = performance.now() - killedMs;
      await sleep(5_000);
      await isWatched();
      const backMs = performance.now();
      await sleep(5_000);
      await calls.stop();
      const grownMiB = (await rig.memoryMiB()) - memoryMiB;
      t.diagnostic(
        `away ${Math.round(awayMs)} ms; ${said(calls)}; memory ${grownMiB.toFixed(0)} MiB more`,
      );
      assertHonest(calls.outcomes);
      const within = calls.outcomes.filter(({ atMs }) => atMs < killedMs + limitMs - slackMs);
      for (const outcomes of [within, calls.since(backMs)]) {
        assertIssued(outcomes);
        assert.ok(p99Ms(outcomes) < p99MsMax, `p99 of ${p99Ms(outcomes)} ms`);
      }
      assert.ok(grownMiB < memoryMiBMax, `${grownMiB} MiB`);
    });

    it("lets nobody pass while the API server is away for longer, and goes by its watches soon after that", async (t) => {
      await using calls = new SteadyCalls(rig, { perSecond, token: tokens() });
      await sleep(2_000);
      const killedMs = performance.now();
      await cluster.kill();
      await sleep(limitMs + 10_000);
      const endMs = performance.now();
      await cluster.restart();
      const thereMs = performance.now();
      await isWatched();
      const backMs = performance.now();
      await sleep(3_000);
      await calls.stop();
      t.diagnostic(`watched ${Math.round(backMs - thereMs)} ms after; ${said(calls)}`);
      assertHonest(calls.outcomes);
      assertIssued(calls.outcomes.filter(({ atMs }) => atMs < killedMs + limitMs - slackMs));
      const beyond = calls.since(killedMs + limitMs + 500).filter(({ atMs }) => atMs < endMs);
      assert.deepEqual(Object.keys(tally(beyond)), [String(CODE.unavailable)]);
      assertIssued(calls.since(backMs));
      assert.ok(backMs - thereMs < backWithinMs, `${backMs - thereMs} ms`);
    });

    it("refuses nobody while the API server is frozen within the limit, and lets nobody pass after it", async (t) => {
      await using calls = new SteadyCalls(rig, { perSecond, token: tokens() });
      await sleep(3_000);
      const memoryMiB = await rig.memoryMiB();
      const frozenMs = performance.now();
      cluster.freeze();
      await sleep(15_000).finally(() => cluster.thaw());
      const thawedMs = performance.now();
      await isWatched();
      const backMs = performance.now();
      await sleep(5_000);
      await calls.stop();
      const grownMiB = (await rig.memoryMiB()) - memoryMiB;
      t.diagnostic(
        `watched ${Math.round(backMs - thawedMs)} ms after; ${said(calls)}; memory ${grownMiB.toFixed(0)} MiB more`,
      );
      assertHonest(calls.outcomes);
      assertIssued(calls.outcomes.filter(({ atMs }) => atMs < frozenMs + limitMs - slackMs));
      const beyond = calls.outcomes.filter(
        ({ atMs, tookMs }) => atMs > frozenMs + limitMs + 500 && atMs + tookMs < thawedMs,
      );
      assert.ok(beyond.length > 0);
      assert.deepEqual(Object.keys(tally(beyond)), [String(CODE.unavailable)]);
      assertIssued(calls.since(backMs));
      assert.ok(p99Ms(calls.since(backMs)) < p99MsMax);
      assert.ok(grownMiB < memoryMiBMax, `${grownMiB} MiB`);
    });

    it("refuses nobody while the API server throttles us, and lets nobody pass once its watches are lost and may not come again", async (t) => {
      await using calls = new SteadyCalls(rig, { perSecond, token: tokens() });
      let lostMs: number;
      let freeMs: number;
      {
        await using _ = await throttle(cluster, ourAccount);
        await sleep(limitMs + 2_000);
        assertIssued(calls.outcomes);
        path.cut();
        path.mend();
        lostMs = performance.now();
        await sleep(limitMs + 4_000);
        const { tokenCheck, watches } = await rig.status();
        assert.equal(tokenCheck, "review");
        const failures = new Set(watches.map(({ failure }) => failure));
        const details = watches.map(({ detail }) => detail).join("\n");
        assert.deepEqual(failures, new Set(["kube-throttled"]), details);
        freeMs = performance.now();
      }
      await isWatched();
      const backMs = performance.now();
      await sleep(5_000);
      await calls.stop();
      t.diagnostic(`watched ${Math.round(backMs - freeMs)} ms after; ${said(calls)}`);
      assertHonest(calls.outcomes);
      const beyond = calls.outcomes.filter(
        ({ atMs, tookMs }) => atMs > lostMs + limitMs + 500 && atMs + tookMs < freeMs,
      );
      assert.ok(beyond.length > 0);
      assert.deepEqual(Object.keys(tally(beyond)), [String(CODE.unavailable)]);
      assertIssued(calls.since(backMs));
    });
  });

  describe("that asks for each new token", () => {
    let rig: ServerRig;
    before(async () => {
      rig = await ServerRig.start(cluster, { flags: { "token-check": "review" } });
      await fill(rig);
    });
    after(() => rig[Symbol.asyncDispose]());

    it("asks once for each token, however many ask with it", async () => {
      const before = await rig.metric('portcullis_kube_reviews_total{result="authenticated"}');
      const [pod] = pods;
      const token = pod?.token ?? "";
      const codes = await Promise.all(Array.from({ length: 400 }, () => rig.ask(token)));
      assert.deepEqual(new Set(codes), new Set([CODE.ok]));
      const after = await rig.metric('portcullis_kube_reviews_total{result="authenticated"}');
      assert.equal(after - before, 1);
    });

    for (const [how, hold] of [
      ["throttles us", async () => await throttle(cluster, ourAccount)],
      [
        "is frozen",
        async () => {
          cluster.freeze();
          return { [Symbol.asyncDispose]: async () => cluster.thaw() };
        },
      ],
    ] as const) {
      it(`tells all to come back while the API server ${how}, and keeps nothing of them`, async (t) => {
        const next = tokens();
        // As new to everybody as one that the API server gave itself.
        const token = (): string => resignToken(next(), { jti: randomUUID() }, cluster.tokenKeyPem);
        await using calls = new SteadyCalls(rig, { perSecond, token });
        await sleep(5_000);
        const memoryMiB = await rig.memoryMiB();
        let heldMs: number;
        let freeMs: number;
        {
          await using _ = await hold();
          heldMs = performance.now() + 500;
          await sleep(15_000);
          freeMs = performance.now();
        }
        await eventually(() => areIssued(calls.outcomes.slice(-perSecond)), 30_000);
        const backMs = performance.now();
        await sleep(3_000);
        await calls.stop();
        const grownMiB = (await rig.memoryMiB()) - memoryMiB;
        t.diagnostic(`${said(calls)}; memory ${grownMiB.toFixed(0)} MiB more`);
        assertHonest(calls.outcomes, [CODE.unavailable, CODE.resourceExhausted]);
        const held = calls.outcomes.filter(
          ({ atMs, tookMs }) => atMs > heldMs && atMs + tookMs < freeMs,
        );
        assert.equal(issuedOf(held).length, 0);
        assert.ok(tally(held)[CODE.unavailable]);
        assert.ok(Math.max(...held.map(({ tookMs }) => tookMs)) < heldMsMax);
        assertIssued(calls.since(backMs));
        t.diagnostic(`issued again ${Math.round(backMs - freeMs)} ms after`);
        assert.ok(grownMiB < memoryMiBMax, `${grownMiB} MiB`);
      });
    }
  });
});

function issuedOf(outcomes: readonly CallOutcome[]): readonly CallOutcome[] {
  return outcomes.filter(({ code }) => code === CODE.ok);
}

function said(calls: SteadyCalls): string {
  const { outcomes, openMax } = calls;
  const p99 = p99Ms(issuedOf(outcomes)).toFixed(0);
  return `${JSON.stringify(tally(outcomes))}, p99 of issued ${p99} ms, ${openMax} open at most`;
}

function areIssued(outcomes: readonly CallOutcome[]): boolean {
  return outcomes.every(({ code }) => code === CODE.ok);
}

function assertIssued(outcomes: readonly CallOutcome[]): void {
  assert.ok(outcomes.length > 0);
  assert.deepEqual(Object.keys(tally(outcomes)), [String(CODE.ok)]);
}

/** A certificate, or a time to come back after: none of these pods is ever told that it is nobody. */
function assertHonest(
  outcomes: readonly CallOutcome[],
  refusals: readonly number[] = [CODE.unavailable],
): void {
  for (const { code, pushbackMs = 0 } of outcomes) {
    assert.ok(code === CODE.ok || (refusals.includes(code) && pushbackMs > 0), `code ${code}`);
  }
}
