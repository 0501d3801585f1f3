/** A node agent over time: renewal, expiry, outages, lives; and what its workloads' evidence is worth. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { NodeAgentError } from "../../src/app/agent/node-agent.ts";
import { ownerOf, type RollEntry } from "../../src/core/roll/roll-entry.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { SdsClient, secretsIn, serialOf } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { bearer, nodeScene, type NodeScene } from "../support/node-agent.ts";
import { NODE_ID, NodeCa } from "../support/node-ca.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

let it: NodeScene;
beforeEach(async () => {
  it = await nodeScene();
});
afterEach(async () => it[Symbol.asyncDispose]());

const idOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;

test("gives a stream its stored set after a restart while the server is away, by its token only", async () => {
  const [token, other] = [it.ca.token("cart"), it.ca.token("cart")];
  const serial = await fetchSerial(token);
  it.ca.close();
  await it.restart();
  assert.equal(await fetchSerial(token), serial);
  using stream = it.client(other).sotw();
  stream.subscribe("default", "ROOTCA");
  await stream.assertSilent();
});

const damages: readonly (readonly [string, (text: string) => string])[] = [
  ["was cut short", (text) => text.slice(0, 200)],
  ["is another version's", (text) => text.replace('"version":1', '"version":2')],
  ["does not say when its token expires", (text) => text.replace(/"tokenExpiresAtMs":\d+,/, "")],
  ["has another identity", (text) => text.replaceAll("/sa/cart", "/sa/pay")],
];

for (const [what, damage] of damages) {
  test(`removes a stored set that ${what}, says so, and asks again`, async () => {
    const token = it.ca.token("cart");
    const serial = await fetchSerial(token);
    const directory = join(it.directory, "state", "workloads");
    await it.agent.stop();
    const [name = ""] = readdirSync(directory);
    const path = join(directory, name);
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    await it.restart();
    assert.equal(it.agent.events("state-unreadable")[0]?.["reason"], "state-file-malformed");
    assert(!existsSync(path));
    assert.notEqual(await fetchSerial(token), serial);
  });
}

test("gives nothing back on a token that has expired while it was away", async () => {
  const token = it.ca.token("cart", 1_500);
  await fetchSerial(token);
  await it.agent.stop();
  it.ca.close();
  await sleep(1_500);
  await it.restart();
  assert.deepEqual(readdirSync(join(it.directory, "state", "workloads")), []);
  using stream = it.client(token).sotw();
  stream.subscribe("default", "ROOTCA");
  await stream.assertSilent();
});

test("ends the streams of a token that has expired, and takes them with a fresh one", async () => {
  const token = it.ca.token("cart", 1_500);
  using stream = it.client(token).sotw();
  stream.subscribe("default");
  const [first] = secretsIn(await stream.next()).values();
  assert.equal(await stream.ended(), status.UNAUTHENTICATED);
  assert.match(stream.end?.details ?? "", /^token expired/);
  using again = it.client(token).sotw();
  again.subscribe("default");
  assert.equal(await again.ended(), status.UNAUTHENTICATED);
  assert.equal(it.ca.asked(token), 1);
  assert.notEqual(await fetchSerial(it.ca.token("cart")), serialOf(first));
});

test("renews at half life on an open stream, each time with a new key's certificate", async () => {
  it.ca.ttlSeconds.set(idOf("cart"), 2);
  using stream = it.client(it.ca.token("cart")).sotw();
  stream.subscribe("default");
  const serials = new Set<string | undefined>();
  for (let count = 0; count < 3; count++) {
    const response = await stream.next();
    stream.ack(response);
    serials.add(serialOf(secretsIn(response).get("default")));
  }
  assert.equal(serials.size, 3);
});

test("withdraws nothing when the server is away, and catches up when it is back", async () => {
  it.ca.ttlSeconds.set(idOf("cart"), 2);
  const token = it.ca.token("cart");
  using stream = it.client(token).sotw();
  stream.subscribe("default");
  stream.ack(await stream.next());
  it.ca.close();
  await it.agent.untilCount("batch-failed", 1);
  assert.equal(stream.end, undefined);
  await it.ca.open();
  stream.ack(await stream.next());
});

test("tries a batch again in time when its clock is set back meanwhile", async () => {
  let behindMs = 0;
  await it.restart({ nowMs: () => Date.now() - behindMs });
  await it.agent.untilCount("mesh-connected", 1);
  for (let count = 0; count < 3; count++) it.ca.script.push({ code: status.UNAVAILABLE });
  using stream = it.client(it.ca.token("cart")).sotw();
  stream.subscribe("default");
  await it.agent.untilCount("batch-failed", 1);
  behindMs = 100_000;
  assert.equal(secretsIn(await stream.next()).size, 1);
});

// A server that was given the wrong audience refuses everybody: that must not take their certificates away.
for (const code of [status.UNAUTHENTICATED, status.PERMISSION_DENIED]) {
  test(`serves what it holds while the server answers ${status[code]}, and renews when it may`, async () => {
    it.ca.ttlSeconds.set(idOf("cart"), 4);
    const token = it.ca.token("cart");
    using stream = it.client(token).sotw();
    stream.subscribe("default");
    stream.ack(await stream.next());
    it.ca.answers.set(token, { code });
    const { reason, heldUntil, detail } = await it.agent.untilCount("renewal-failed", 2);
    assert.equal(reason, "renewal-refused");
    assert(Date.parse(String(heldUntil)) > Date.now());
    assert.match(String(detail), new RegExp(`${idOf("cart")}.* ${code}: scripted`));
    assert.equal(stream.end, undefined);
    assert((await fetchSerial(token)) !== undefined);
    assert.deepEqual(it.agent.events("token-refused"), []);
    it.ca.answers.delete(token);
    stream.ack(await stream.next());
    assert.deepEqual(it.agent.events("certificate-expired"), []);
  });
}

test("keeps a stored set that the server refuses to renew, after a restart, too", async () => {
  it.ca.ttlSeconds.set(idOf("cart"), 3);
  const token = it.ca.token("cart");
  const serial = await fetchSerial(token);
  it.ca.answers.set(token, { code: status.UNAUTHENTICATED });
  await it.restart();
  using stream = it.client(token).sotw();
  stream.subscribe("default");
  assert.equal(serialOf(secretsIn(await stream.next()).get("default")), serial);
  await it.agent.untilCount("renewal-failed", 1);
  assert.equal(stream.end, undefined);
});

test("ends the streams of a workload that is refused once its certificate has expired", async () => {
  it.ca.ttlSeconds.set(idOf("cart"), 2);
  const token = it.ca.token("cart");
  using stream = it.client(token).sotw();
  stream.subscribe("default");
  await stream.next();
  it.ca.believed.delete(token);
  assert.equal(await stream.ended(), status.UNAUTHENTICATED);
  assert.equal(it.agent.events("certificate-expired").length, 1);
  assert.equal(it.agent.events("token-refused").length, 1);
  await until(() => readdirSync(join(it.directory, "state", "workloads")).length === 0, "no file");
});

test("gives a new bundle of its own stream to all workloads, as the same bytes", async () => {
  const streams = ["cart", "pay"].map((name) => it.client(it.ca.token(name)).sotw());
  for (const stream of streams) {
    stream.subscribe("ROOTCA");
    stream.ack(await stream.next());
  }
  const { root } = await makeAuthority("p256", Date.now());
  it.ca.push(trustBundle(TEST_TRUST_DOMAIN, 2n, [it.ca.authority.root, root]));
  const [one, other] = await Promise.all(streams.map(async (stream) => stream.next()));
  assert.deepEqual(one?.resources, other?.resources);
  assert.equal(one?.versionInfo, other?.versionInfo);
  for (const stream of streams) stream[Symbol.dispose]();
});

test("reports each proxy under its workload's identity, and as gone with it", async () => {
  using cart = it.client(it.ca.token("cart")).sotw("sidecar");
  using pay = it.client(it.ca.token("pay")).sotw("sidecar");
  for (const stream of [cart, pay]) {
    stream.subscribe("ROOTCA");
    stream.ack(await stream.next());
  }
  await until(
    () => entries().filter(({ evidence }) => acked(evidence)).length === 2,
    "both proofs",
  );
  assert.deepEqual(
    new Set(entries().map((entry) => `${ownerOf(entry)} ${entry.evidence.proxyId}`)),
    new Set([`${idOf("cart")} sidecar`, `${idOf("pay")} sidecar`]),
  );
  assert(entries().every(({ reporter }) => reporter.spiffeId === NODE_ID));
  cart[Symbol.dispose]();
  await until(() => entryOf("cart")?.connected === false, "gone");
  assert.equal(entryOf("pay")?.connected, true);
  assert.deepEqual(
    it.ca.events.filter(({ event }) => event === "evidence-dropped"),
    [],
  );
});

test("says everything again after a reconnect, tokens first", async () => {
  const streams = Array.from({ length: 60 }, (_, at) => {
    const name = `sa-${at}`;
    const token = `${it.ca.token(name)}-${"x".repeat(2_000)}`;
    it.ca.believed.set(token, { id: idOf(name), expiresAtMs: Date.now() + 60_000 });
    return it.client(token).sotw(`proxy-${at}`);
  });
  for (const stream of streams) stream.subscribe("ROOTCA");
  for (const stream of streams) stream.ack(await stream.next());
  await until(
    () => entries().filter(({ evidence }) => acked(evidence)).length === 60,
    "all proofs",
  );
  it.ca.close();
  await until(() => entries().every(({ connected }) => !connected), "all away");
  await it.ca.open();
  await until(() => entries().filter(({ connected }) => connected).length === 60, "all again");
  assert.deepEqual(
    it.ca.events.filter(({ event }) => event === "evidence-dropped"),
    [],
  );
  for (const stream of streams) stream[Symbol.dispose]();
});

test("counts no workload whose token the server does not believe, and counts the others", async () => {
  const [token, other] = [it.ca.token("cart"), it.ca.token("pay")];
  using stream = it.client(token).sotw("p1");
  stream.subscribe("ROOTCA");
  await stream.next();
  await until(() => entryOf("cart")?.connected === true, "its evidence");
  it.ca.believed.delete(token);
  it.ca.close();
  await it.ca.open();
  await until(() => entryOf("cart")?.connected === false, "away");
  using bystander = it.client(other).sotw("p2");
  bystander.subscribe("ROOTCA");
  bystander.ack(await bystander.next());
  await until(() => entryOf("pay")?.connected === true, "the other one");
  assert.equal(entryOf("cart")?.connected, false);
  const dropped = it.ca.events.filter(({ event }) => event === "evidence-dropped");
  assert.deepEqual(new Set(dropped.map(({ claimed }) => claimed)), new Set([idOf("cart")]));
});

test("shows a token again that could not be judged, and reports what was proved meanwhile", async () => {
  const token = it.ca.token("cart");
  using stream = it.client(token).sotw("p1");
  stream.subscribe("ROOTCA");
  stream.ack(await stream.next());
  await until(() => entryOf("cart")?.connected === true, "its evidence");
  const believed = it.ca.believed.get(token);
  assert(believed !== undefined);
  it.ca.believed.delete(token);
  it.ca.close();
  await it.ca.open();
  const dropped = () => it.ca.events.filter(({ event }) => event === "evidence-dropped");
  await until(() => dropped().length === 1, "dropped");
  assert.equal(entryOf("cart")?.connected, false);
  it.ca.believed.set(token, believed);
  await until(() => entryOf("cart")?.connected === true, "counted again");
  using other = it.client(token).sotw("p2");
  other.subscribe("default");
  other.ack(await other.next());
  await until(() => entries().filter(({ connected }) => connected).length === 2, "the next proof");
  assert.equal(dropped().length, 1);
  assert.equal(it.agent.events("mesh-connected").length, 2);
});

test("lets no workload with many proxies silence the node", async () => {
  const client = it.client(it.ca.token("cart"));
  const many = Array.from({ length: 12 }, (_, at) => client.sotw(`p${at}`));
  for (const stream of many) stream.subscribe("ROOTCA");
  using other = it.client(it.ca.token("pay")).sotw("other");
  other.subscribe("ROOTCA");
  other.ack(await other.next());
  await until(() => entryOf("pay")?.connected === true, "the other one");
  assert.deepEqual(it.agent.events("mesh-lost"), []);
  for (const stream of many) stream[Symbol.dispose]();
});

test("refuses a workload's stream that is one too many, and nobody else's", async () => {
  using clients = new DisposableStack();
  const token = it.ca.token("cart");
  const client = clients.use(new SdsClient(it.agent.socketPath, bearer(token)));
  const streams = Array.from({ length: 64 }, () => client.sotw());
  for (const stream of streams) stream.subscribe("ROOTCA");
  await Promise.all(streams.map(async (stream) => stream.next()));
  using tooMany = client.sotw();
  tooMany.subscribe("ROOTCA");
  assert.equal(await tooMany.ended(), status.RESOURCE_EXHAUSTED);
  await fetchSerial(it.ca.token("cart"));
});

test("refuses to run under another identity than it was given", async () => {
  using directory = temporaryDirectory();
  await using ca = await NodeCa.start();
  ca.nodeId = idOf("cart");
  await using agent = await TestAgent.start({
    directory: directory.path,
    server: ca.address,
    serverRoot: ca.rootPem,
    nodeIdentity: SpiffeId.parse(NODE_ID),
  });
  using client = new SdsClient(agent.socketPath, bearer(ca.token("cart")));
  using stream = client.sotw();
  stream.subscribe("ROOTCA");
  const error = await agent.ended();
  assert(error instanceof NodeAgentError && error.code === "node-identity-mismatch");
  assert(error.hint !== undefined);
  assert.deepEqual([ca.batches, stream.take()], [[], []]);
});

test("dials anew with each certificate of its own", async () => {
  await it.agent.stop();
  it.ca.ttlSeconds.set(NODE_ID, 2);
  using directory = temporaryDirectory();
  await using agent = await TestAgent.start({
    directory: directory.path,
    server: it.ca.address,
    serverRoot: it.ca.rootPem,
    nodeIdentity: SpiffeId.parse(NODE_ID),
  });
  for (let count = 1; count <= 3; count++) {
    await agent.until("certificate-received", (events) => {
      return events.filter(({ spiffeId }) => spiffeId === NODE_ID).length >= count;
    });
    using client = new SdsClient(agent.socketPath, bearer(it.ca.token("cart")));
    using stream = client.sotw();
    stream.subscribe("default");
    await stream.next();
  }
  assert.equal(new Set(it.ca.batchPeers).size, 3);
  assert.deepEqual(agent.events("batch-failed"), []);
});

function entries(): RollEntry[] {
  return it.ca.roll.entries();
}

function entryOf(name: string): RollEntry | undefined {
  return entries().find((entry) => ownerOf(entry) === idOf(name));
}

function acked({ subscriptions }: RollEntry["evidence"]): boolean {
  return subscriptions.some(({ acked }) => acked !== undefined);
}

async function fetchSerial(token: string): Promise<string> {
  using client = new SdsClient(it.agent.socketPath, bearer(token));
  using stream = client.sotw();
  stream.subscribe("default");
  const serial = serialOf(secretsIn(await stream.next()).get("default"));
  assert(serial !== undefined);
  return serial;
}
