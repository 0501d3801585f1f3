/** An agent's ADS over its real socket, with a scripted control plane: who gets what, in which order, and who gets nothing. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
} from "../../src/core/envoy/proxy-resources.ts";
import { secretTypeUrl } from "../../src/core/envoy/secret.ts";
import { emptyPolicy, type ProxyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { encodePolicy, policyDigest } from "../../src/edge/rpc/policy-messages.ts";
import { AdsClient } from "../support/agent-ads.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { secretsIn, serialOf } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { until } from "../support/envoy.ts";
import { bearer, nodeScene, type NodeScene } from "../support/node-agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { inboundPort, meshCluster, outboundPort } from "../policy-envoy/policies.ts";

const node = {
  id: "cart-0",
  cluster: "shop",
  metadata: { LABELS: { app: "cart", replicas: 3 }, OTHER: "x" },
};
const app = { kind: "ip", host: "127.0.0.1", port: 8080 } as const;
const inbound = inboundPort(8443, "tcp", "permissive", app);
const policy: ProxyPolicy = {
  ...emptyPolicy,
  inbound: [inbound],
  outbound: [outboundPort(9001, "tcp", inbound)],
  clusters: [meshCluster(inbound, "tcp")],
};
const octets = encodePolicy(policy);
const [cluster] = policy.clusters.map(({ name }) => name);

describe("a sidecar's agent", () => {
  const own = new AsyncDisposableStack();
  let ca: ScriptedCa;
  let agent: TestAgent;
  let client: AdsClient;

  before(async () => {
    ca = own.use(await ScriptedCa.start());
    ca.knowsPolicy = true;
    const directory = own.use(temporaryDirectory()).path;
    agent = own.use(
      await TestAgent.start({ directory, server: ca.address, serverRoot: ca.rootPem }),
    );
    client = own.use(new AdsClient(agent.socketPath));
    await agent.untilCount("mesh-connected", 1);
  });
  after(async () => own.disposeAsync());

  const said = () =>
    ca.policies.flatMap(({ proxies }) => proxies).findLast(({ proxyId }) => proxyId === "cart-0");

  test("lets a proxy wait for its first policy, and tells the server of it and of its labels", async () => {
    using stream = client.sotw();
    stream.send({ typeUrl: clusterTypeUrl, node });
    stream.send({ typeUrl: listenerTypeUrl });
    await until(() => said() !== undefined, "the proxy");
    assert.deepEqual([...(said()?.labels ?? [])], [["app", "cart"]]);
    assert.equal(said()?.hasListeners, true);
    await stream.assertSilent();
  });

  test("sends clusters, endpoints and listeners in this order, and counts a policy when all are taken", async () => {
    using stream = client.sotw();
    stream.send({ typeUrl: clusterTypeUrl, node });
    stream.send({ typeUrl: listenerTypeUrl });
    await until(() => said() !== undefined, "the proxy");
    ca.assign({ proxyId: "cart-0", spiffeId: undefined, octets });
    const clusters = await stream.next(clusterTypeUrl);
    assert.equal(clusters.resources.length, 2);
    const names = [cluster ?? ""];
    stream.send({ typeUrl: endpointTypeUrl, resourceNames: names });
    const endpoints = await stream.next(endpointTypeUrl);
    stream.ack(clusters);
    await stream.assertSilent();
    stream.ack(endpoints, ...names);
    const listeners = await stream.next(listenerTypeUrl);
    assert.equal(listeners.resources.length, 2);
    assert.equal(said()?.applied, undefined);
    stream.ack(listeners);
    await until(() => said()?.applied?.digest === policyDigest(octets), "it is applied");
  });

  test("gives secrets on the same stream, and has what they prove in its report", async () => {
    using stream = client.delta();
    stream.send({ typeUrl: clusterTypeUrl, node });
    stream.send({ typeUrl: secretTypeUrl, resourceNamesSubscribe: ["default", "ROOTCA"] });
    const response = await stream.next(secretTypeUrl);
    const serial = serialOf(secretsIn(response).get("default"));
    stream.send({ typeUrl: secretTypeUrl, responseNonce: response.nonce });
    await until(
      () =>
        ca.reports
          .flatMap(({ proxies }) => proxies)
          .filter(({ proxyId }) => proxyId === "cart-0")
          .flatMap(({ subscriptions }) => subscriptions)
          .some(({ acked }) => acked?.certificate?.serialHex === serial),
      "the evidence",
    );
  });

  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`l${index}`, "x"]));
  const invalid = [
    ["without a node", { typeUrl: clusterTypeUrl }],
    ["without a node id", { typeUrl: clusterTypeUrl, node: { cluster: "shop" } }],
    [
      "with a node id of 1,025 characters",
      { typeUrl: clusterTypeUrl, node: { id: "x".repeat(1_025) } },
    ],
    ["for a type that nobody serves", { typeUrl: "type.googleapis.com/envoy.X", node }],
    ["without a type", { node }],
    ["with 65 labels", { typeUrl: clusterTypeUrl, node: { id: "x", metadata: { LABELS: many } } }],
    [
      "with a label of 64 characters",
      { typeUrl: listenerTypeUrl, node: { id: "x", metadata: { LABELS: { a: "x".repeat(64) } } } },
    ],
  ] as const;
  for (const [what, request] of invalid) {
    test(`ends a stream that begins ${what}`, async () => {
      using sotw = client.sotw();
      sotw.send(request);
      assert.equal(await sotw.ended(), status.INVALID_ARGUMENT);
      using delta = client.delta();
      delta.send(request);
      assert.equal(await delta.ended(), status.INVALID_ARGUMENT);
    });
  }

  test("ends a stream that asks for 65 secrets, and not one for as many endpoints", async () => {
    const resourceNames = Array.from({ length: 65 }, (_, index) => `name-${index}`);
    using stream = client.sotw();
    stream.send({ typeUrl: endpointTypeUrl, node, resourceNames });
    await stream.assertSilent();
    stream.send({ typeUrl: secretTypeUrl, resourceNames });
    assert.equal(await stream.ended(), status.RESOURCE_EXHAUSTED);
  });
});

describe("a node agent", () => {
  let it: NodeScene;
  before(async () => {
    it = await nodeScene();
  });
  after(async () => it[Symbol.asyncDispose]());

  test("gives each stream the secrets of its own token", async () => {
    using client = new AdsClient(it.agent.socketPath);
    for (const name of ["cart", "pay"]) {
      using stream = client.sotw(bearer(it.ca.token(name)));
      const id = `spiffe://cluster.local/ns/shop/sa/${name}`;
      stream.send({ typeUrl: secretTypeUrl, node, resourceNames: [id] });
      assert.deepEqual([...secretsIn(await stream.next(secretTypeUrl)).keys()], [id]);
    }
  });

  test("ends a stream without a token, and one whose token nobody believes", async () => {
    using client = new AdsClient(it.agent.socketPath);
    using bare = client.delta();
    bare.send({ typeUrl: clusterTypeUrl, node });
    assert.equal(await bare.ended(), status.UNAUTHENTICATED);
    using stranger = client.delta(bearer("nobody's"));
    stranger.send({ typeUrl: clusterTypeUrl, node });
    assert.equal(await stranger.ended(), status.UNAUTHENTICATED);
    assert.deepEqual([...bare.take(), ...stranger.take()], []);
  });

  test("ends a stream that has asked for no secret when its token expires", async () => {
    using client = new AdsClient(it.agent.socketPath);
    const token = it.ca.token("cart");
    it.ca.believed.set(token, {
      id: "spiffe://cluster.local/ns/shop/sa/cart",
      expiresAtMs: Date.now() + 1_500,
    });
    using stream = client.sotw(bearer(token));
    stream.send({ typeUrl: clusterTypeUrl, node });
    assert.equal(await stream.ended(), status.UNAUTHENTICATED);
  });
});
