/** The Lease of the trust on a real API server: one holder at each moment, who stops by his own clock. */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CoordinationV1Api } from "@kubernetes/client-node";
import {
  LeaseKeeper,
  type LeaseKeeperOptions,
} from "../../src/app/server/kube/trust/lease-keeper.ts";
import { leaseHolder } from "../../src/core/kube/trust/lease.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { KubeError } from "../../src/edge/kube/kube-error.ts";
import { LeaseObject } from "../../src/edge/kube/trust/lease-object.ts";
import { logRecorder, type LogRecorder } from "../support/log-recorder.ts";
import { OurAccount } from "./access.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { skipKube } from "./skip-kube.ts";
import { holds } from "./trust-rig.ts";

interface Candidate {
  readonly recorder: LogRecorder;
  readonly stop: AbortController;
  readonly acquired: Promise<LeaseKeeper>;
}

describe("the Lease of the trust", { skip: skipKube }, () => {
  let cluster: Cluster;
  let connection: KubeConnection;
  let leases: CoordinationV1Api;
  let namespace: string;
  let aheadMs = 0;

  before(async () => {
    cluster = await startCluster();
    connection = await cluster.connection();
    leases = cluster.kubeConfig().makeApiClient(CoordinationV1Api);
  });

  after(async () => {
    await cluster.stop();
  });

  beforeEach(async () => {
    aheadMs = 0;
    namespace = await cluster.namespace("lease");
  });

  const objectBy = (by: KubeConnection): LeaseObject =>
    new LeaseObject(by, namespace, "portcullis-trust", 2_000);

  /** @param isAhead whether `aheadMs` moves its clock */
  function apply(
    writer: string,
    by = connection,
    isAhead = true,
    object: LeaseKeeperOptions["object"] = objectBy(by),
  ): Candidate {
    const recorder = logRecorder();
    const stop = new AbortController();
    const acquired = LeaseKeeper.acquire({
      object,
      identity: leaseHolder("host", "aa", writer),
      log: recorder.log,
      nowMs: Date.now,
      monotonicMs: () => performance.now() + (isAhead ? aheadMs : 0),
      signal: stop.signal,
    });
    acquired.catch(() => {});
    return { recorder, stop, acquired };
  }

  const spec = async () => {
    const name = "portcullis-trust";
    return (await leases.readNamespacedLease({ namespace, name })).spec ?? {};
  };

  it("has one winner of 16 that want it at once, and the others wait and say for whom", async () => {
    const all = Array.from({ length: 16 }, (_, at) => apply(`w${at}`));
    const first = await Promise.race(all.map(async (each) => ({ each, won: await each.acquired })));
    const others = all.filter((each) => each !== first.each);
    const { holderIdentity } = await spec();
    await holds(() => {
      for (const { recorder } of others) {
        const waiting = recorder.events.find(({ event }) => event === "lease-waiting");
        assert.equal(waiting?.["holder"], holderIdentity);
        assert.ok(Number(waiting?.["expiresInMs"]) > 10_000);
      }
    });
    assert.equal(first.won.isHeld, true);
    for (const { stop } of all) stop.abort();
    await Promise.allSettled(others.map(({ acquired }) => acquired));
    await first.won[Symbol.asyncDispose]();
    assert.equal((await spec()).holderIdentity, "", "given back");
  });

  it("is taken at once when it was given back, and counted", async () => {
    const one = await apply("w1").acquired;
    await one[Symbol.asyncDispose]();
    await using two = await apply("w2").acquired;
    assert.equal(two.isHeld, true);
    assert.equal((await spec()).leaseTransitions, 1);
  });

  const answers: readonly (readonly [string, (signal?: AbortSignal) => Promise<void>])[] = [
    ["comes late", (signal) => sleep(500, undefined, { signal })],
    ["is lost", () => Promise.reject(new KubeError("kube-unreachable", "scripted"))],
  ];
  for (const [how, answer] of answers) {
    it(`is given back also where its holder ends while the answer to a renewal ${how}`, async () => {
      const object = objectBy(connection);
      let writes = 0;
      const write: LeaseObject["write"] = async (lease, version, signal) => {
        const found = await object.write(lease, version, signal);
        writes += 1;
        if (writes === 2) await answer(signal);
        return found;
      };
      const { name } = object;
      const read: LeaseObject["read"] = (signal) => object.read(signal);
      const one = await apply("w1", connection, true, { namespace, name, read, write }).acquired;
      await holds(() => assert.equal(writes, 2));
      await one[Symbol.asyncDispose]();
      assert.equal((await spec()).holderIdentity, "", "given back");
    });
  }

  it("is never held by two processes of one data directory and its copy, nor taken without a wait after a kill", async () => {
    await using one = await apply("w1").acquired;
    const two = apply("w2");
    await holds(() => {
      const waiting = two.recorder.events.find(({ event }) => event === "lease-waiting");
      assert.equal(waiting?.["holder"], leaseHolder("host", "aa", "w1"));
    });
    assert.equal(one.isHeld, true);
    two.stop.abort();
    await assert.rejects(two.acquired);
  });

  it("is taken by the next when its holder is silent for its duration, and its holder knows it first", async () => {
    const rules = [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["*"] }];
    const account = await OurAccount.make(cluster, rules);
    await using _ = account;
    using live = new KubeConnection({ access: account.access });
    const one = await apply("w1", live, false).acquired;
    await account.revoke();
    const lostMs = performance.now();
    await using two = await apply("w2", connection, false).acquired;
    const tookMs = performance.now() - lostMs;
    assert.ok(tookMs > 10_000 && tookMs < 22_000, `${tookMs}`);
    assert.equal(one.isHeld, false);
    assert.equal(two.isHeld, true);
    await one[Symbol.asyncDispose]();
    assert.match(String((await spec()).holderIdentity), /w2$/, "not given back for another");
  });

  it("is lost to whoever wrote it, at the next renewal, and comes back when that one has gone", async () => {
    const one = await apply("w1").acquired;
    await using _ = one;
    const name = "portcullis-trust";
    const lease = await leases.readNamespacedLease({ namespace, name });
    const spec = Object.assign({}, lease.spec, { holderIdentity: "thief_w9" });
    const taken = Object.assign({}, lease, { spec });
    await leases.replaceNamespacedLease({ namespace, name, body: taken });
    await holds(() => assert.equal(one.otherHolder, "thief_w9"));
    assert.equal(one.isHeld, false);
    aheadMs += 16_000;
    await holds(() => assert.equal(one.isHeld, true));
    assert.equal(one.otherHolder, "");
  });

  it("is given back by a holder who rests, who sees whose it is, and has it again when he goes on", async () => {
    const one = await apply("w1").acquired;
    await using _ = one;
    one.rest();
    assert.equal(one.isHeld, false);
    const beganMs = performance.now();
    const two = await apply("w2").acquired;
    assert.ok(performance.now() - beganMs < 8_000, "it was not given back");
    await holds(() => assert.match(one.otherHolder, /w2$/));
    await two[Symbol.asyncDispose]();
    await sleep(5_000);
    assert.equal((await spec()).holderIdentity, "");
    assert.equal(one.otherHolder, "");
    one.resume();
    await holds(() => assert.equal(one.isHeld, true));
    assert.match(String((await spec()).holderIdentity), /w1$/);
  });

  it("is not waited for without the right to it", async () => {
    await using ours = await OurAccount.make(cluster);
    using forbidden = new KubeConnection({ access: ours.access });
    await assert.rejects(apply("w1", forbidden).acquired, { code: "kube-forbidden" });
  });

  it("is no more waited for when the server is told to end", async () => {
    await using _ = await apply("w1").acquired;
    const two = apply("w2");
    await holds(() => assert.ok(two.recorder.events.length > 0));
    two.stop.abort(new Error("told to end"));
    await assert.rejects(two.acquired, { code: "start-interrupted" });
  });

  it("is held through a restart of the API server", async () => {
    await using one = await apply("w1").acquired;
    await cluster.restart();
    assert.equal(one.isHeld, true);
    const before = (await spec()).renewTime;
    await holds(async () => assert.notDeepEqual((await spec()).renewTime, before));
    assert.equal(one.isHeld, true);
  });
});
