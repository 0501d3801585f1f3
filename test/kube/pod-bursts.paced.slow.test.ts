/** 1,000 pods that come and go in bursts while others ask: whoever is gone is refused within a second, and nobody else ever is. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { percentile } from "../../bench/percentile.ts";
import { CODE } from "../server/grpc-wire.ts";
import type { Workload } from "./cluster-callers.ts";
import { startCluster } from "./cluster.ts";
import { applyRights, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";
import { SteadyCalls, tally } from "./steady-calls.ts";

const bursts = 10;
const burst = 100;
const staying = 20;
const perSecond = 100;
const askEveryMs = 50;
const goneMs = 1_000;

describe("pods that come and go in bursts", { skip: skipKube, timeout: 300_000 }, () => {
  it("are issued to as soon as they have a token, and refused a second after their end", async (t) => {
    await using cluster = await startCluster();
    await applyRights(cluster);
    await using rig = await ServerRig.start(cluster);
    const namespace = await cluster.namespace("bursts");
    const many = (count: number): Promise<Workload[]> =>
      Promise.all(Array.from({ length: count }, () => rig.workload({}, namespace)));
    const stay = await many(staying);
    let at = 0;
    const token = (): string => stay[at++ % staying]?.token ?? "";
    await using calls = new SteadyCalls(rig, { perSecond, token });
    const took: number[] = [];
    for (let round = 0; round < bursts; round++) {
      const come = await many(burst);
      const codes = await Promise.all(come.map(({ token }) => rig.ask(token)));
      assert.deepEqual(new Set(codes), new Set([CODE.ok]), `burst ${round}`);
      took.push(...(await Promise.all(come.map((each) => endOf(each)))));
    }
    await calls.stop();
    const sorted = took.toSorted((a, b) => a - b);
    const [p50, p99, most] = [0.5, 0.99, 1].map((share) => percentile(sorted, share).toFixed(0));
    t.diagnostic(`refused after ${p50} ms (p50), ${p99} ms (p99), ${most} ms at most`);
    t.diagnostic(`others: ${JSON.stringify(tally(calls.outcomes))}`);
    assert.deepEqual(Object.keys(tally(calls.outcomes)), [String(CODE.ok)]);
    assert.ok((sorted.at(-1) ?? goneMs) < goneMs, `${sorted.at(-1)} ms`);

    /** @returns how long after its end its token still counted, in ms */
    async function endOf({ pod, token }: Workload): Promise<number> {
      await cluster.deletePod(pod);
      const endedMs = performance.now();
      for (;;) {
        const askedMs = performance.now();
        const code = await rig.ask(token);
        if (code === CODE.unauthenticated) return askedMs - endedMs;
        assert.equal(code, CODE.ok);
        await sleep(askEveryMs);
      }
    }
  });
});
