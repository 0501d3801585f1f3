/** What an agent tells a server that may have forgotten it: of proxies that are away, and of streams that are down. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { validationSecretNames } from "../../src/core/envoy/secret.ts";
import { judgeProxy } from "../../src/core/roll/proxy-verdict.ts";
import type { RollEntry } from "../../src/core/roll/roll-entry.ts";
import { Roll } from "../../src/core/roll/roll.ts";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { trustBundle, type TrustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, type SotwStream } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

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
  await agent.untilCount("mesh-connected", 1);
});
afterEach(async () => own.disposeAsync());

async function start(): Promise<TestAgent> {
  const options = { directory, server: ca.address, serverRoot: ca.rootPem };
  return own.use(await TestAgent.start(options));
}

/** Takes and acknowledges what it asks for. */
async function take(client: SdsClient, nodeId: string, name: string): Promise<SotwStream> {
  const stream = client.sotw(nodeId);
  stream.subscribe(name);
  stream.ack(await stream.next());
  return stream;
}

async function restartAgent(): Promise<void> {
  await agent.stop();
  ca.reports.length = 0;
  agent = await start();
  await until(() => ca.reports.length > 0, "a report");
}

/** As a server that begins anew takes what it is told. */
function told(): Map<string, RollEntry> {
  const max = { proxiesMax: 512, proxiesPerIdentityMax: 512, proxiesPerReporterMax: 256 };
  const roll = new Roll({ ...max, subscriptionsPerProxyMax: 64 });
  const reporter = { agentId: "agent", spiffeId: ca.spiffeId };
  for (const report of ca.reports) roll.report(reporter, report, Date.now());
  return new Map(roll.entries().map((entry) => [entry.evidence.proxyId, entry]));
}

const namesOf = (proxyId: string): string[] | undefined =>
  told()
    .get(proxyId)
    ?.evidence.subscriptions.map(({ resourceName, acked }) =>
      acked === undefined ? resourceName : `${resourceName} acked`,
    )
    .toSorted();

test("another life of the agent tells of a proxy that is not back, until it is", async () => {
  using client = new SdsClient(agent.socketPath);
  await take(client, "proxy-1", "default");
  await take(client, "proxy-1", "ROOTCA");
  await take(client, "proxy-2", "ROOTCA");
  await until(() => namesOf("proxy-2")?.[0] === "ROOTCA acked", "all of it");
  await restartAgent();
  await until(() => told().get("proxy-1")?.connected === false, "that it is away");
  assert.deepEqual([...told().keys()], ["proxy-1"]);
  assert.deepEqual(namesOf("proxy-1"), ["ROOTCA", "default acked"]);
  const { notAfterMs } = ca.leaves[0]?.held[0] ?? {};
  assert.equal(told().get("proxy-1")?.heldUntilMs, notAfterMs);
  using again = new SdsClient(agent.socketPath);
  await take(again, "proxy-1", "default");
  await until(() => told().get("proxy-1")?.connected === true, "that it is back");
  // Its stream for the bundle is not.
  assert.deepEqual(
    told()
      .get("proxy-1")
      ?.evidence.subscriptions.map(({ resourceName }) => resourceName),
    ["default"],
  );
});

test("a server that comes again hears of a stream that is down, and of who has left", async () => {
  using client = new SdsClient(agent.socketPath);
  await take(client, "proxy-1", "ROOTCA");
  const validator = await take(client, "proxy-1", "ALL");
  const leaving = await take(client, "proxy-2", "default");
  await until(() => told().size === 2 && namesOf("proxy-1")?.length === 2, "both");
  ca.close();
  await agent.untilCount("mesh-lost", 1);
  validator[Symbol.dispose]();
  leaving[Symbol.dispose]();
  ca.reports.length = 0;
  await ca.open();
  await until(() => told().get("proxy-2")?.connected === false, "who has left");
  assert.deepEqual(namesOf("proxy-1"), ["ALL acked", "ROOTCA acked"]);
  assert.equal(
    told().get("proxy-2")?.evidence.subscriptions[0]?.acked?.certificate?.serialHex,
    serial,
  );
});

test("a proxy is on disk as soon as a certificate goes out to it", async () => {
  using client = new SdsClient(agent.socketPath);
  await take(client, "proxy-1", "default");
  const path = join(directory, "state", "proxies.json");
  await until(() => existsSync(path), "the file");
  const stored = (): unknown[] => JSON.parse(readFileSync(path, "utf8")).proxies;
  const [{ names, ...proxy }] = stored() as [Record<string, unknown>];
  const { notAfterMs } = ca.leaves[0]?.held[0] ?? {};
  assert.deepEqual(
    { ...proxy, atMs: 0 },
    { proxyId: "proxy-1", serialHex: serial, notAfterMs, atMs: 0 },
  );
  assert.deepEqual(names, []);
});

/** As the gate of a rotation says it. */
function verdictOn(proxyId: string, { roots, sequence }: TrustBundle): unknown {
  const entry = told().get(proxyId);
  assert(entry !== undefined);
  if (!entry.connected) return entry.heldUntilMs > Date.now() ? "away" : "over";
  const present = {
    rootsDigest: rootsDigest(roots),
    rootsSequence: sequence,
    validationNames: new Set(validationSecretNames(TEST_TRUST_DOMAIN)),
  };
  const lapsed = entry.lapsed.map(({ subscription }) => subscription);
  const subscriptions = [...entry.evidence.subscriptions, ...lapsed];
  const verdict = judgeProxy({ ...entry.evidence, subscriptions }, present, true);
  return typeof verdict === "string" ? verdict : verdict.reason;
}

test("a proxy that refused its bundle lags until it has taken it, over its own life and the agent's", async () => {
  const { root } = await makeAuthority("p256", Date.now());
  const both = trustBundle(TEST_TRUST_DOMAIN, 2n, [...ca.authority.bundle.roots, root]);
  const untilVerdict = async (expected: string): Promise<void> =>
    until(() => verdictOn("proxy-1", both) === expected, expected);
  {
    using client = new SdsClient(agent.socketPath);
    using _ = await take(client, "proxy-1", "default");
    using stream = await take(client, "proxy-1", "ROOTCA");
    ca.push(both);
    stream.nack(await stream.next(), "no");
    await untilVerdict("refused");
  }
  await untilVerdict("away");
  await restartAgent();
  await untilVerdict("away");
  {
    using client = new SdsClient(agent.socketPath);
    using leaf = client.sotw("proxy-1");
    leaf.subscribe("default");
    await leaf.next();
    await untilVerdict("not-acknowledged");
    using stream = client.sotw("proxy-1");
    stream.subscribe("ROOTCA");
    stream.nack(await stream.next(), "no");
    await untilVerdict("refused");
  }
  await untilVerdict("away");
  using client = new SdsClient(agent.socketPath);
  const stream = client.sotw("proxy-1");
  stream.subscribe("ROOTCA");
  const response = await stream.next();
  await untilVerdict("not-acknowledged");
  stream.ack(response);
  await untilVerdict("confirmed");
});
