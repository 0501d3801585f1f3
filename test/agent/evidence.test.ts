/** What an agent tells its control plane about its proxies, and what it takes from there. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { ProxyEvidence, SubscriptionEvidence } from "../../src/core/roll/evidence.ts";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { trustBundle } from "../../src/core/spiffe/trust-bundle.ts";
import { ConnectResponseSchema } from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, secretsIn } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { makeAuthority, TEST_TRUST_DOMAIN } from "../support/authority.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

let own: AsyncDisposableStack;
let ca: ScriptedCa;
let agent: TestAgent;
let client: SdsClient;
let directory: string;
let serial: unknown;

beforeEach(async () => {
  own = new AsyncDisposableStack();
  ca = own.use(await ScriptedCa.start());
  directory = own.use(temporaryDirectory()).path;
  agent = own.use(await TestAgent.start({ directory, server: ca.address, serverRoot: ca.rootPem }));
  client = own.use(new SdsClient(agent.socketPath));
  ({ serial } = await agent.untilCount("certificate-received", 1));
  await until(() => ca.reports.at(-1)?.heldBundleSequence === 1n, "what it holds");
  await until(() => storedSequence() === "1", "the stream's bundle");
});
afterEach(async () => own.disposeAsync());

test("begins a stream with the whole of its evidence, and then says what changes", async () => {
  const heldRootsDigest = rootsDigest([ca.authority.root]);
  const held = { proxies: [], gone: [], heldRootsDigest };
  // The sequence comes with the stream.
  assert.deepEqual(ca.reports, [
    { sequence: 1n, full: true, ...held, heldBundleSequence: 0n },
    { sequence: 2n, full: false, ...held, heldBundleSequence: 1n },
  ]);
  using stream = client.sotw("proxy-1");
  stream.subscribe("default", "ROOTCA");
  const response = await stream.next();
  await until(() => proxy("proxy-1") !== undefined, "an unproven proxy");
  assert.deepEqual(proxy("proxy-1")?.subscriptions.map(proofOf), ["default", "ROOTCA"]);
  stream.ack(response);
  await until(() => subscription("default")?.acked !== undefined, "its proof");
  assert.equal(subscription("default")?.acked?.certificate?.serialHex, serial);
  assert.equal(subscription("ROOTCA")?.acked?.bundleSequence, 1n);
  const said = ca.reports.length;
  stream.ack(response);
  await sleep(100);
  assert.equal(ca.reports.length, said);
  assert.deepEqual(
    ca.reports.map(({ sequence }) => sequence),
    ca.reports.map((_, at) => BigInt(at + 1)),
  );
});

test("reports a refusal in the proxy's words, until the next good answer clears it", async () => {
  using stream = client.sotw("proxy-1");
  stream.subscribe("ROOTCA");
  const first = await stream.next();
  const good = secretsIn(first);
  stream.ack(first);
  await until(() => subscription("ROOTCA")?.acked !== undefined, "its proof");
  ca.push(await nextBundle(2n));
  const refused = await stream.next();
  stream.nack(refused, "no such luck");
  await until(() => subscription("ROOTCA")?.nack !== undefined, "the refusal");
  assert.equal(subscription("ROOTCA")?.nack?.detail, "no such luck");
  assert.equal(subscription("ROOTCA")?.acked?.bundleSequence, 1n);
  const restored = await stream.next();
  assert.deepEqual(secretsIn(restored).get("ROOTCA"), good.get("ROOTCA"));
  stream.ack(restored);
  await stream.assertSilent();
  assert.equal(subscription("ROOTCA")?.nack?.detail, "no such luck");
  ca.push(await nextBundle(3n));
  stream.ack(await stream.next());
  await until(() => subscription("ROOTCA")?.nack === undefined, "the refusal is gone");
  assert.equal(subscription("ROOTCA")?.acked?.bundleSequence, 3n);
});

test("reports each stream of a proxy, and the proxy as gone with its last one", async () => {
  const first = client.sotw("proxy-1");
  const second = client.delta("proxy-1");
  first.subscribe("ROOTCA");
  first.ack(await first.next());
  second.send({ resourceNamesSubscribe: ["ROOTCA"] });
  await second.next();
  await until(() => proxy("proxy-1")?.subscriptions.length === 2, "two subscriptions");
  const acked = proxy("proxy-1")?.subscriptions.map(({ acked }) => acked?.bundleSequence);
  assert.deepEqual(new Set(acked), new Set([undefined, 1n]));
  first[Symbol.dispose]();
  await until(() => proxy("proxy-1")?.subscriptions.length === 1, "one subscription");
  second[Symbol.dispose]();
  await until(() => ca.reports.at(-1)?.gone.includes("proxy-1") === true, "gone");
});

test("says nothing of nameless proxies, of foreign names, or of too long ones", async () => {
  const streams = ["", "n".repeat(1_025)].map((nodeId) => client.sotw(nodeId));
  for (const stream of streams) stream.subscribe("ROOTCA");
  using other = client.sotw("proxy-2");
  other.subscribe("nothing", "x".repeat(4_096), "ROOTCA");
  await until(() => proxy("proxy-2") !== undefined, "the proxy with a name");
  assert.deepEqual(proxy("proxy-2")?.subscriptions.map(proofOf), ["ROOTCA"]);
  assert.deepEqual(
    new Set(ca.reports.flatMap(({ proxies }) => proxies.map(idOf))),
    new Set(["proxy-2"]),
  );
  for (const stream of streams) stream[Symbol.dispose]();
});

test("says everything again after a reconnect, in messages that the server can take", async () => {
  const ids = Array.from({ length: 150 }, (_, at) => `proxy-${at}`);
  using stack = new DisposableStack();
  // One connection has no room for so many.
  const second = stack.use(new SdsClient(agent.socketPath));
  const streams = ids.map((id, at) => stack.use((at < 75 ? client : second).sotw(id)));
  await Promise.all(
    streams.map(async (stream) => {
      stream.subscribe("ROOTCA");
      stream.nack(await stream.next(), "n".repeat(1_024));
    }),
  );
  await until(() => ids.every((id) => proxy(id)?.subscriptions[0]?.nack !== undefined), "all");
  ca.close();
  ca.reports.length = 0;
  await ca.open();
  await until(() => ids.every((id) => proxy(id)?.subscriptions[0]?.nack !== undefined), "again");
  assert.deepEqual(
    ca.reports.map(({ full }) => full),
    ca.reports.map((_, at) => at === 0),
  );
  assert(ca.reports.length > 1);
  assert.deepEqual(ca.hellos, [0n, 1n]);
});

test("keeps, serves and proves the bundle that the stream brings, and no older one", async () => {
  using stream = client.sotw("proxy-1");
  stream.subscribe("ROOTCA");
  stream.ack(await stream.next());
  const next = await nextBundle(5n);
  ca.push(next);
  const response = await stream.next();
  const [secret] = secretsIn(response).values();
  assert(secret?.type.case === "validationContext");
  const pem = secret.type.value.trustedCa?.specifier;
  assert(pem?.case === "inlineBytes");
  assert.equal(Buffer.from(pem.value).toString().split("BEGIN CERTIFICATE").length - 1, 2);
  stream.ack(response);
  await until(() => subscription("ROOTCA")?.acked?.bundleSequence === 5n, "its proof");
  assert.equal(storedSequence(), "5");
  for (const older of [
    trustBundle(TEST_TRUST_DOMAIN, 4n, [ca.authority.root]),
    trustBundle(TrustDomain.parse("other.test"), 9n, next.roots),
  ]) {
    ca.push(older);
    await stream.assertSilent();
    assert.equal(storedSequence(), "5");
  }
  assert.equal(agent.events("bundle-rollback").length, 2);
});

test("lives through bundles that are none", async () => {
  using stream = client.sotw("proxy-1");
  stream.subscribe("ROOTCA");
  stream.ack(await stream.next());
  const [first] = ca.authority.bundle.roots;
  assert(first !== undefined);
  ca.push(trustBundle(TEST_TRUST_DOMAIN, 2n, [first, Uint8Array.of(1, 2, 3)]));
  await agent.untilCount("bundle-not-kept", 1);
  ca.bundle = ca.authority.bundle;
  const noRoots = { trustDomain: TEST_TRUST_DOMAIN.name, sequence: 3n, roots: [] };
  ca.pushRaw(create(ConnectResponseSchema, { message: { case: "bundle", value: noRoots } }));
  await agent.untilCount("mesh-lost", 1);
  await agent.untilCount("mesh-connected", 2);
  await stream.assertSilent();
  assert.equal(storedSequence(), "1");
});

test("opens the stream of a new certificate before it ends that of the old one", async () => {
  await agent.stop();
  ca.ttlSeconds = 2;
  using place = temporaryDirectory();
  const hellos = ca.hellos.length;
  await using renewing = await TestAgent.start({
    directory: place.path,
    server: ca.address,
    serverRoot: ca.rootPem,
  });
  await renewing.untilCount("mesh-connected", 1);
  let fewest = Infinity;
  const counting = setInterval(() => (fewest = Math.min(fewest, ca.meshStreams)), 1);
  await renewing.untilCount("mesh-connected", 3).finally(() => clearInterval(counting));
  assert(ca.hellos.length >= hellos + 3);
  assert(fewest >= 1);
  assert.deepEqual(renewing.events("mesh-lost"), []);
});

/** What was said last about it. */
function proxy(proxyId: string): ProxyEvidence | undefined {
  const all = ca.reports.flatMap(({ proxies }) => proxies);
  return all.findLast((each) => each.proxyId === proxyId);
}

function subscription(name: string): SubscriptionEvidence | undefined {
  return proxy("proxy-1")?.subscriptions.find(({ resourceName }) => resourceName === name);
}

function proofOf({ resourceName, acked, nack }: SubscriptionEvidence): string {
  return [resourceName, acked && "acked", nack && "nack"].filter(Boolean).join(" ");
}

function idOf({ proxyId }: ProxyEvidence): string {
  return proxyId;
}

function storedSequence(): string {
  const state = JSON.parse(readFileSync(join(directory, "state", "workload.json"), "utf8"));
  return state.bundle.sequence;
}

/** The mesh's own root and one more. */
async function nextBundle(sequence: bigint) {
  const { root } = await makeAuthority("p256", Date.now());
  return trustBundle(TEST_TRUST_DOMAIN, sequence, [ca.authority.root, root]);
}
