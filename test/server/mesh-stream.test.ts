/** `portcullis.mesh.v1` as an agent sees it: who may speak, in which order, and what it changes. */

import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { after, before, describe, test } from "node:test";

import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import type { ProxyStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { meshIdentity, openMeshStream, type MeshIdentity } from "./mesh-client.ts";

const subscription = (serial: string, bundleSequence = 1n) => ({
  streamId: 1n,
  resourceName: "default",
  bundleSequence,
  ackedAt: timestampFromMs(Date.now()),
  certificate: { serial, notAfter: timestampFromMs(Date.now() + 600_000) },
});
const proxy = (proxyId: string, serial = "0a") => ({
  proxyId,
  subscriptions: [subscription(serial)],
});

describe("an agent's stream", () => {
  let it: TestControlPlane;
  let cart: MeshIdentity;
  let pay: MeshIdentity;
  before(async () => {
    it = await startControlPlane();
    cart = await meshIdentity(it, "cart");
    pay = await meshIdentity(it, "pay");
  });
  after(() => it[Symbol.asyncDispose]());

  async function proxiesOf(agentId: string): Promise<ProxyStatus[]> {
    const { proxies } = await fetchStatus(it.controlPlane.endpoints.admin);
    return proxies.filter((each) => each.agentId === agentId);
  }

  test("needs a certificate of the mesh", async () => {
    using stream = openMeshStream(it);
    stream.hello("nobody");
    assert.equal((await stream.ended).code, status.UNAUTHENTICATED);
  });

  test("brings the bundle for a Hello, and an acknowledgement for each report", async () => {
    using stream = openMeshStream(it, cart);
    stream.hello("first");
    stream.report({ sequence: 1n, full: true, proxies: [proxy("sidecar~cart", "0b")] });
    stream.report({ sequence: 2n, proxies: [proxy("sidecar~cart", "0c")] });
    await eventually(() => stream.received.length === 3);
    const [bundle, one, two] = stream.received.map(({ message }) => message);
    assert.equal(bundle?.case, "bundle");
    assert.deepEqual([bundle.value.trustDomain, bundle.value.sequence], ["cluster.local", 1n]);
    assert.deepEqual(
      [one?.value, two?.value].map((ack) => ack && "sequence" in ack && ack.sequence),
      [1n, 2n],
    );
    const [shown, ...others] = await proxiesOf("first");
    assert.equal(others.length, 0);
    assert.equal(shown?.spiffeId, "spiffe://cluster.local/ns/shop/sa/cart");
    const { connected, pod, subscriptions } = shown;
    assert.deepEqual([connected, pod, subscriptions[0]?.serial], [true, "cart-0", "0c"]);
    it.advance(3_600_000);
    await stream.close();
    const left = await eventually(async () => {
      const [proxy] = await proxiesOf("first");
      return proxy?.connected === false && proxy;
    });
    it.advance(-3_600_000);
    assert.ok(left.lastSeen && timestampMs(left.lastSeen) > Date.now() + 3_500_000);
  });

  const good = proxy("p");
  const sub = subscription("0a");
  const refused: readonly (readonly [string, (s: ReturnType<typeof openMeshStream>) => void])[] = [
    ["a report before the Hello", (s) => s.report({ sequence: 1n, full: true, proxies: [good] })],
    ["no message at all", (s) => s.send({ case: undefined })],
    ["an empty agent_id", (s) => s.hello("")],
    ["an agent_id of another alphabet", (s) => s.hello("a b\n")],
    ["an agent_id of 129 characters", (s) => s.hello("a".repeat(129))],
    [
      "257 proxies",
      (s) => {
        s.hello("refused");
        const proxies = Array.from({ length: 257 }, (_, n) => ({ proxyId: `p${n}` }));
        s.report({ sequence: 1n, full: true, proxies });
      },
    ],
    [
      "65 subscriptions of a proxy",
      (s) => {
        s.hello("refused");
        const subscriptions = Array.from({ length: 65 }, () => sub);
        s.report({ sequence: 1n, full: true, proxies: [{ proxyId: "p", subscriptions }] });
      },
    ],
    [
      "a time of the year 10^12",
      (s) => {
        s.hello("refused");
        const ackedAt = { seconds: 2n ** 62n, nanos: 0 };
        const subscriptions = [{ ...sub, ackedAt }];
        s.report({ sequence: 1n, full: true, proxies: [{ proxyId: "p", subscriptions }] });
      },
    ],
    [
      "two Hellos, and nothing after them",
      (s) => {
        s.hello("refused");
        s.hello("refused");
        s.report({ sequence: 1n, full: true, proxies: [good] });
      },
    ],
  ];
  for (const [title, send] of refused) {
    test(`ends for ${title}, and changes nothing`, async () => {
      using stream = openMeshStream(it, await meshIdentity(it, "cart", 600, "refused"));
      send(stream);
      assert.equal((await stream.ended).code, status.INVALID_ARGUMENT);
      assert.deepEqual(await proxiesOf("refused"), []);
      await eventually(async () => {
        const { server } = await fetchStatus(it.controlPlane.endpoints.admin);
        return server?.agentsConnected === 0;
      });
    });
  }

  test("is replaced by a newer one of the same agent, and by no other's", async () => {
    const twice = await meshIdentity(it, "cart", 600, "twice");
    using old = openMeshStream(it, twice);
    old.hello("twice");
    old.report({ sequence: 1n, full: true, proxies: [proxy("p", "01")] });
    await eventually(() => old.received.length === 2);
    using foreign = openMeshStream(it, pay);
    foreign.hello("twice");
    foreign.report({ sequence: 1n, full: true, proxies: [proxy("p", "02")] });
    await eventually(() => foreign.received.length === 2);
    using newer = openMeshStream(it, twice);
    newer.hello("twice");
    assert.equal((await old.ended).code, status.ABORTED);
    newer.report({ sequence: 1n, full: true, proxies: [proxy("p", "03")] });
    await eventually(() => newer.received.length === 2);
    const shown = await proxiesOf("twice");
    assert.deepEqual(
      shown.map(({ spiffeId, connected, subscriptions }) => [
        spiffeId.split("/").at(-1),
        connected,
        subscriptions[0]?.serial,
      ]),
      [
        ["cart", true, "03"],
        ["pay", true, "02"],
      ],
    );
  });

  test("ends with the certificate that it was opened with", async () => {
    using stream = openMeshStream(it, await meshIdentity(it, "brief", 2));
    stream.hello("brief");
    assert.deepEqual(await stream.ended, {
      code: status.UNAUTHENTICATED,
      details: "the client certificate has expired",
    });
  });

  test("ends when no Hello comes", { timeout: 10_000 }, async () => {
    using stream = openMeshStream(it, cart);
    assert.equal((await stream.ended).code, status.DEADLINE_EXCEEDED);
  });
});

test(
  "agents are told that the server goes, and do not hold it up",
  { timeout: 6_000 },
  async () => {
    const it = await startControlPlane();
    using stream = openMeshStream(it, await meshIdentity(it, "cart"));
    stream.hello("agent");
    await eventually(() => stream.received.length === 1);
    await it[Symbol.asyncDispose]();
    assert.equal((await stream.ended).code, status.UNAVAILABLE);
  },
);

test("evidence counts until its certificate expires, whatever timers do", async () => {
  await using it = await startControlPlane();
  const cart = await meshIdentity(it, "cart");
  using stream = openMeshStream(it, cart);
  stream.hello("sleeper");
  await eventually(() => stream.received.length === 1);
  it.advance(3_600_000);
  stream.report({ sequence: 1n, full: true, proxies: [proxy("late")] });
  assert.equal((await stream.ended).code, status.UNAUTHENTICATED);
  assert.deepEqual((await fetchStatus(it.controlPlane.endpoints.admin)).proxies, []);
});

test("a peer that reads nothing is not heard for ever", { timeout: 20_000 }, async () => {
  await using it = await startControlPlane();
  const cart = await meshIdentity(it, "cart");
  using stream = openMeshStream(it, cart);
  stream.hello("deaf");
  await eventually(() => stream.received.length === 1);
  stream.deafen();
  let written = 0;
  for (; written < 300_000 && (await stream.tryReport(BigInt(written + 1))); written++);
  // What it does not take it does not keep.
  assert.ok(written < 300_000, "the server took all of it");
});
