/** One pod that asks with all its might, where each token has to be asked about: a matter of its own, and of nobody else. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CODE, dialWire, sign, type WireConnection } from "../server/grpc-wire.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { applyRights, ServerRig } from "./server-rig.ts";
import { skipKube } from "./skip-kube.ts";

const connections = 17;
/** Of a connection. */
const streamsMax = 100;
/** The Lease and the Secret are looked at each 5 s. */
const floodMs = 12_000;
/** As a client that is told to try again, though at once. */
const restMs = 250;

describe("one pod's calls", { skip: skipKube }, () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await applyRights(cluster);
  });
  after(() => cluster.stop());

  it("keep nobody else from a certificate, nor the server from its Lease", async () => {
    await using rig = await ServerRig.start(cluster, {
      flags: { "token-check": "review-always", "trust-secret": "portcullis-trust" },
    });
    const [evil, good] = [await rig.workload(), await rig.workload()];
    assert.equal(await rig.ask(good.token), CODE.ok);
    await using owned = new AsyncDisposableStack();
    const wires = Array.from({ length: connections }, () => owned.use(dialWire(rig.server)));
    const stop = new AbortController();
    const codes = new Map<number, number>();
    const callOn = async (wire: WireConnection): Promise<void> => {
      while (!stop.signal.aborted) {
        const { code } = await sign(wire, { authorization: `Bearer ${evil.token}` });
        codes.set(code, (codes.get(code) ?? 0) + 1);
        await sleep(restMs);
      }
    };
    const flood = wires.flatMap((wire) => Array.from({ length: streamsMax }, () => callOn(wire)));
    const endMs = performance.now() + floodMs;
    const others: number[] = [];
    while (performance.now() < endMs) {
      others.push(await rig.ask(good.token));
      await sleep(100);
    }
    stop.abort();
    await Promise.all(flood);
    const refused = others.filter((code) => code !== CODE.ok);
    assert.deepEqual(
      refused,
      [],
      `${refused.length} of ${others.length}; ${JSON.stringify([...codes])}`,
    );
    assert.ok(others.length >= 5, `${others.length} calls in ${floodMs} ms`);
    // It was more than one may: else nothing was tried here.
    assert.ok(
      (codes.get(CODE.unavailable) ?? 0) > connections * streamsMax,
      JSON.stringify([...codes]),
    );
    for (const event of ["lease-failed", "lease-lost", "trust-secret-failed"]) {
      assert.deepEqual(rig.logOf(event), [], event);
    }
  });
});
