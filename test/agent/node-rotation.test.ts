/** A node agent in a rotation: whom it renews, what it serves together, and how it takes its leave. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { secretsIn, serialOf, type SotwStream } from "../support/agent-sds.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { until } from "../support/envoy.ts";
import { nodeScene, type NodeScene } from "../support/node-agent.ts";

let it: NodeScene;
beforeEach(async () => {
  it = await nodeScene();
});
afterEach(async () => it[Symbol.asyncDispose]());

async function takeSerial(stream: SotwStream): Promise<string> {
  const response = await stream.next();
  stream.ack(response);
  return serialOf(secretsIn(response).get("default")) ?? "";
}

test("renews the workload whose certificate it is asked for, once, and no other", async () => {
  const { ca } = it;
  const [cart, pay] = [ca.token("cart"), ca.token("pay")];
  using first = it.client(cart).sotw();
  using second = it.client(pay).sotw();
  first.subscribe("default");
  second.subscribe("default");
  const [serial] = [await takeSerial(first), await takeSerial(second)];
  for (let count = 0; count < 3; count++) ca.renew(serial);
  assert.notEqual(await takeSerial(first), serial);
  await second.assertSilent();
  ca.renew(serial);
  await sleep(1_100);
  assert.deepEqual([ca.asked(cart), ca.asked(pay)], [2, 1]);
  const agentId = readFileSync(join(it.directory, "state", "agent-id"), "utf8");
  assert.deepEqual(new Set(ca.batchAgents), new Set([agentId]));
});

test("renews its own when it is asked for that", async () => {
  const { agent, ca } = it;
  const { serial } = await agent.untilCount("certificate-received", 1);
  ca.renew(String(serial));
  await agent.untilCount("mesh-connected", 2);
  assert.notEqual(agent.events("certificate-received").at(-1)?.["serial"], serial);
});

test("serves no leaf of a new root before that root, though the mesh stream has not brought it", async () => {
  const { ca } = it;
  const [token, late] = [ca.token("cart"), ca.token("pay")];
  using client = it.client(token);
  using stream = client.sotw();
  stream.subscribe("default", "ROOTCA");
  const before = await stream.next();
  stream.ack(before);
  const oldRoot = ca.authority.root;
  const next = await makeAuthority("p256", Date.now());
  ca.authority = next;
  ca.otherRoots = [oldRoot];
  using other = it.client(late).sotw();
  other.subscribe("default", "ROOTCA");
  const root = encodePem(next.root, "CERTIFICATE");
  const secrets = secretsIn(await other.next());
  assert(rootsOf(secrets.get("ROOTCA")).includes(root));
  assert(rootsOf(secrets.get("ROOTCA")).includes(encodePem(oldRoot, "CERTIFICATE")));
  // The one that has an old leaf gets the new bundle as well, and keeps the leaf.
  const news = secretsIn(await stream.next());
  assert.deepEqual([...news.keys()], ["ROOTCA"]);
  assert(rootsOf(news.get("ROOTCA")).includes(root));
});

test("withholds a leaf whose root was taken away from who comes, and serves the next", async () => {
  const { ca, agent } = it;
  const token = ca.token("cart");
  using client = it.client(token);
  using stream = client.sotw("proxy-1");
  stream.subscribe("default");
  const serial = await takeSerial(stream);
  const next = await makeAuthority("p256", Date.now());
  ca.authority = next;
  ca.push(trustBundle(TEST_TRUST_DOMAIN, 2n, [next.root]));
  await agent.untilCount("certificate-withheld", 1);
  using late = client.sotw("proxy-2");
  late.subscribe("default", "ROOTCA");
  const bundle = await late.next();
  assert.deepEqual([...secretsIn(bundle).keys()], ["ROOTCA"]);
  late.ack(bundle);
  ca.renew(serial);
  const renewed = await takeSerial(late);
  assert.notEqual(renewed, serial);
  assert.equal(await takeSerial(stream), renewed);
});

test("asks by itself for another in the place of a leaf that it withholds, and of its own", async () => {
  const { ca } = it;
  await it.restart({ random: () => 0 });
  const { agent } = it;
  await agent.untilCount("mesh-connected", 1);
  using stream = it.client(ca.token("cart")).sotw();
  stream.subscribe("default");
  const serial = await takeSerial(stream);
  const next = await makeAuthority("p256", Date.now());
  ca.push(trustBundle(TEST_TRUST_DOMAIN, 2n, [next.root]));
  await agent.untilCount("certificate-withheld", 1);
  await ca.restart(next);
  await agent.untilCount("certificate-received", 3);
  assert.notEqual(await takeSerial(stream), serial);
});

test("brings no root back by a reply that was signed before the root was taken away", async () => {
  const { ca, agent } = it;
  using before = it.client(ca.token("pay")).sotw();
  before.subscribe("default");
  // The connection for batches is open from now on: a new one would not be let through with the old root.
  await takeSerial(before);
  const old = ca.authority;
  const next = await makeAuthority("p256", Date.now());
  ca.push(trustBundle(TEST_TRUST_DOMAIN, 2n, [old.root, next.root]));
  ca.push(trustBundle(TEST_TRUST_DOMAIN, 3n, [next.root]));
  const path = join(it.directory, "state", "workload.json");
  const sequence = (): string => JSON.parse(readFileSync(path, "utf8")).bundle.sequence;
  await until(() => sequence() === "3", "the last bundle");
  using stream = it.client(ca.token("cart")).sotw();
  stream.subscribe("default", "ROOTCA");
  const { reason } = await agent.untilCount("signing-put-off", 1);
  assert.equal(reason, "renewal-root-withdrawn");
  ca.authority = next;
  const roots = rootsOf(secretsIn(await stream.next()).get("ROOTCA"));
  assert.equal(roots, encodePem(next.root, "CERTIFICATE"));
});

test("destroys the keys of all its workloads before it says goodbye", async () => {
  const { ca, directory } = it;
  await it.restart({ goodbye: true });
  await it.agent.untilCount("mesh-connected", 1);
  using stream = it.client(ca.token("cart")).sotw();
  stream.subscribe("default");
  await stream.next();
  const workloads = join(directory, "state", "workloads");
  await until(() => readdirSync(workloads).length > 0, "its key");
  await it.agent.stop();
  assert.deepEqual(readdirSync(workloads), []);
  assert(!existsSync(join(directory, "state", "workload.json")));
  assert.equal(it.agent.events("said-goodbye")[0]?.["taken"], true);
});

function rootsOf(
  secret: ReturnType<typeof secretsIn> extends Map<string, infer S> ? S | undefined : never,
): string {
  assert(secret?.type.case === "validationContext");
  const { specifier } = secret.type.value.trustedCa ?? {};
  assert(specifier?.case === "inlineBytes");
  return Buffer.from(specifier.value).toString();
}

test("tells in another life of a proxy that is not back, once it may speak for its identity", async () => {
  const { ca } = it;
  const [here, away] = [ca.token("cart"), ca.token("cart")];
  for (const [token, nodeId] of [
    [here, "proxy-1"],
    [away, "proxy-2"],
  ] as const) {
    const stream = it.client(token).sotw(nodeId);
    stream.subscribe("default");
    await takeSerial(stream);
  }
  const path = join(it.directory, "state", "proxies.json");
  const stored = () => (existsSync(path) ? readFileSync(path, "utf8") : "");
  await until(() => stored().includes("proxy-1") && stored().includes("proxy-2"), "both on disk");
  await it.agent.stop();
  const entries = () =>
    new Map(ca.roll.entries().map(({ evidence, ...entry }) => [evidence.proxyId, entry]));
  // A server that begins anew, too.
  for (const { reporter } of ca.roll.entries()) ca.roll.goodbye(reporter);
  assert.equal(entries().size, 0);
  await it.restart();
  await it.agent.untilCount("mesh-connected", 1);
  using stream = it.client(here).sotw("proxy-1");
  stream.subscribe("default");
  await takeSerial(stream);
  await until(() => entries().get("proxy-2")?.connected === false, "who is away");
  assert((entries().get("proxy-2")?.heldUntilMs ?? 0) > Date.now());
  await until(() => entries().get("proxy-1")?.connected === true, "who is here");
});
