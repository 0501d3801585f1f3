/** What an agent says of itself for a rotation, what it does when it is asked to renew, and how it takes its leave. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { ProxyEvidence } from "../../src/core/roll/evidence.ts";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { SpiffeWorkloadAPI } from "../../src/gen/spiffe/workload/workload_pb.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient } from "../support/agent-sds.ts";
import { TestAgent, type TestAgentOptions } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { WorkloadClient } from "./workload-api-rig.ts";

let own: AsyncDisposableStack;
let ca: ScriptedCa;
let directory: string;
let agent: TestAgent;
let serial: string;

beforeEach(async () => {
  own = new AsyncDisposableStack();
  ca = own.use(await ScriptedCa.start());
  directory = own.use(temporaryDirectory()).path;
  agent = await start();
  serial = String((await agent.untilCount("certificate-received", 1))["serial"]);
  await until(() => ca.reports.length > 0, "the first report");
});
afterEach(async () => own.disposeAsync());

async function start(changes: Partial<TestAgentOptions> = {}): Promise<TestAgent> {
  const options = { directory, server: ca.address, serverRoot: ca.rootPem, ...changes };
  return own.use(await TestAgent.start(options));
}

async function nextBundle(sequence: bigint): Promise<TrustBundle> {
  const { root } = await makeAuthority("p256", Date.now());
  return trustBundle(TEST_TRUST_DOMAIN, sequence, [...ca.authority.bundle.roots, root]);
}

const statePath = (name: string): string => join(directory, "state", name);
const digestHeld = (): string | undefined => ca.reports.at(-1)?.heldRootsDigest;

describe("an agent says", () => {
  test("who it is with its CSR, what time it is, and what it serves", async () => {
    const agentId = readFileSync(statePath("agent-id"), "utf8");
    assert.equal(ca.requests[0]?.agentId, agentId);
    assert(Math.abs((ca.helloTimesMs[0] ?? 0) - Date.now()) < 5_000);
    await until(() => ca.leaves.length === 1, "its leaves");
    const [{ held, ...first } = { held: [] }] = ca.leaves;
    assert.deepEqual(first, { full: true, dropped: [] });
    assert.deepEqual(
      held.map(({ serialHex }) => serialHex),
      [serial],
    );
  });

  test("which bundle it holds once that is on disk, and not before", async () => {
    const before = digestHeld();
    using client = new SdsClient(agent.socketPath);
    using stream = client.sotw();
    stream.subscribe("ROOTCA");
    stream.ack(await stream.next());
    rmSync(statePath("workload.json"));
    mkdirSync(statePath("workload.json"));
    writeFileSync(join(statePath("workload.json"), "in-the-way"), "");
    const bundle = await nextBundle(2n);
    ca.push(bundle);
    await agent.untilCount("state-not-written", 1);
    stream.ack(await stream.next());
    const acked = rootsDigest(bundle.roots);
    await until(() => proxy("proxy-1")?.subscriptions[0]?.acked?.rootsDigest === acked, "its ACK");
    assert.equal(digestHeld(), before);
    rmSync(statePath("workload.json"), { recursive: true });
    ca.renew(serial);
    await until(() => digestHeld() === acked, "the bundle on disk");
  });
});

describe("an agent that is asked to renew", () => {
  test("does so once within a second, however often it is asked", async () => {
    const askedMs = Date.now();
    for (let count = 0; count < 5; count++) ca.renew(serial, "abcd");
    await agent.untilCount("certificate-received", 2);
    assert(Date.now() - askedMs < 1_500);
    await sleep(700);
    assert.equal(ca.requests.length, 2);
    const next = String(agent.events("certificate-received").at(-1)?.["serial"]);
    await until(
      () => ca.leaves.some(({ full, held }) => full && held[0]?.serialHex === next),
      "it",
    );
  });

  test("does nothing for a certificate that it serves no more, or never had", async () => {
    ca.renew(serial);
    await agent.untilCount("certificate-received", 2);
    await agent.untilCount("mesh-connected", 2);
    ca.renew(serial, "abcd");
    await sleep(1_200);
    assert.equal(ca.requests.length, 2);
  });

  test("goes on at its usual pace when that fails, and keeps what it has", async () => {
    for (let count = 0; count < 2; count++) ca.script.push(() => ({ code: status.UNAVAILABLE }));
    ca.renew(serial);
    await agent.untilCount("certificate-received", 2);
    assert.equal(agent.events("renewal-failed").length, 2);
    assert.deepEqual(agent.events("certificate-expired"), []);
    const [, first, second, third] = ca.requests.map(({ atMs }) => atMs);
    assert((second ?? 0) - (first ?? 0) >= 100 && (third ?? 0) - (second ?? 0) >= 100);
  });
});

describe("an agent whose certificate is withheld", () => {
  const distrust = async (): Promise<void> => {
    const next = await makeAuthority("p256", Date.now());
    ca.trust(trustBundle(TEST_TRUST_DOMAIN, 2n, [next.root]), next);
    await agent.untilCount("certificate-withheld", 1);
  };
  /** With its own certificate of that authority. */
  const restart = async (): Promise<void> => {
    ca.close();
    await ca.open();
  };

  test("asks for another by itself, for the server may never come to it", async () => {
    await agent.stop();
    agent = await start({ random: () => 0 });
    await agent.untilCount("mesh-connected", 1);
    const asked = ca.requests.length;
    await distrust();
    const startedMs = Date.now();
    await restart();
    await agent.untilCount("certificate-received", 1);
    const tookMs = Date.now() - startedMs;
    assert(tookMs > 900 && tookMs < 2_000, `after ${tookMs} ms`);
    assert.equal(ca.requests.length, asked + 1);
  });

  test("asks sooner when the server asks it to", async () => {
    await distrust();
    const startedMs = Date.now();
    ca.renew(serial);
    await sleep(100);
    await restart();
    await agent.untilCount("certificate-received", 2);
    assert(Date.now() - startedMs < 1_500);
    assert.equal(ca.requests.length, 2);
  });

  test("asks by itself also after a restart", async () => {
    await distrust();
    await agent.stop();
    await restart();
    agent = await start({ random: () => 0 });
    await agent.untilCount("certificate-received", 1);
  });
});

describe("an agent whose workload ends with it", () => {
  test("has destroyed its keys when it says so", async () => {
    await agent.stop();
    agent = await start({ goodbye: true });
    await agent.untilCount("mesh-connected", 1);
    await agent.stop();
    assert.equal(ca.goodbyes, 1);
    assert.deepEqual(agent.events("said-goodbye")[0]?.["taken"], true);
    assert(!existsSync(statePath("workload.json")));
    assert(existsSync(statePath("agent-id")));
    await assert.rejects(new SdsClient(agent.socketPath).fetch(["default"]));
  });

  test("ends within two seconds when the server does not take it, or is away", async () => {
    await agent.stop();
    for (const isAway of [false, true]) {
      agent = await start({ goodbye: true });
      await agent.untilCount("mesh-connected", 1);
      if (isAway) {
        ca.close();
        await agent.untilCount("mesh-lost", 1);
      }
      ca.isDeaf = true;
      const stoppedMs = Date.now();
      await agent.stop();
      assert(Date.now() - stoppedMs < 2_500);
      assert.equal(agent.events("said-goodbye")[0]?.["taken"], false);
      assert(!existsSync(statePath("workload.json")));
      ca.isDeaf = false;
    }
  });

  test("says nothing when a key could not be destroyed", async () => {
    await agent.stop();
    agent = await start({ goodbye: true });
    await agent.untilCount("mesh-connected", 1);
    rmSync(statePath("workload.json"));
    mkdirSync(statePath("workload.json"));
    await agent.stop();
    assert.equal(ca.goodbyes, 0);
    assert.equal(agent.events("keys-not-destroyed").length, 1);
  });

  test("keeps its keys and says nothing without the flag", async () => {
    await agent.stop();
    assert.equal(ca.goodbyes, 0);
    assert(existsSync(statePath("workload.json")));
  });
});

describe("clients of the Workload API", () => {
  const { fetchX509SVID, fetchX509Bundles, fetchJWTBundles } = SpiffeWorkloadAPI.method;

  test("are reported with what was delivered to them, weakly, by stream", async () => {
    using client = new WorkloadClient(agent.socketPath);
    using svids = client.open(fetchX509SVID);
    using bundles = client.open(fetchX509Bundles);
    using jwts = client.open(fetchJWTBundles);
    await Promise.all([svids.next(), bundles.next(), jwts.next()]);
    const digest = (): (string | undefined)[] =>
      streams().map(({ subscriptions }) => subscriptions.at(-1)?.acked?.rootsDigest);
    await until(() => streams().length === 2 && !digest().includes(undefined), "both");
    assert(streams().every(({ weak }) => weak === true));
    const [svid] = streams();
    assert.deepEqual(
      svid?.subscriptions.map(({ resourceName, acked }) => [resourceName, acked?.certificate]),
      [
        ["default", { serialHex: serial, notAfterMs: ca.leaves[0]?.held[0]?.notAfterMs }],
        ["ROOTCA", undefined],
      ],
    );
    const bundle = await nextBundle(2n);
    ca.push(bundle);
    await Promise.all([svids.next(), bundles.next()]);
    await until(() => digest().every((each) => each === rootsDigest(bundle.roots)), "the news");
    // The same roots, after others that never came here: nothing is delivered, and it counts as what it is now.
    const sequences = () =>
      streams().map((each) => each.subscriptions.at(-1)?.acked?.bundleSequence);
    ca.push({ ...bundle, sequence: 9n });
    await until(() => sequences().every((each) => each === 9n), "the later sequence");
    assert.equal(ca.reports.at(-1)?.unobservedReaders, undefined);
  });

  test("are counted as unobserved when they listen no more, over a restart, too", async () => {
    using client = new WorkloadClient(agent.socketPath);
    await client.call(fetchX509Bundles, {});
    await client.call(fetchJWTBundles, {});
    await until(() => ca.reports.at(-1)?.unobservedReaders === 1, "one that has left");
    using sds = new SdsClient(agent.socketPath);
    await sds.fetch(["default"]);
    await sds.fetch(["ROOTCA"]);
    await until(() => ca.reports.at(-1)?.unobservedReaders === 2, "and one that has fetched");
    await agent.stop();
    const said = ca.reports.length;
    agent = await start();
    await until(() => ca.reports.length > said, "a report");
    assert.equal(ca.reports.at(-1)?.unobservedReaders, 2);
  });
});

/** Of the reports of all streams: the newest that names it. */
function proxy(proxyId: string): ProxyEvidence | undefined {
  return ca.reports.flatMap(({ proxies }) => proxies).findLast((each) => each.proxyId === proxyId);
}

function streams(): ProxyEvidence[] {
  const all = ca.reports.flatMap(({ proxies }) => proxies);
  const ids = new Set(
    all.map(({ proxyId }) => proxyId).filter((id) => id.startsWith("workload-api-")),
  );
  return [...ids].flatMap((id) => proxy(id) ?? []);
}
