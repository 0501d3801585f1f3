/** The mesh stream of a node agent as the server takes it, and of agents that would like to be one. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { ownerOf } from "../../src/core/roll/roll-entry.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { until } from "../support/envoy.ts";
import { NODE_ID, NodeCa } from "../support/node-ca.ts";
import { openMeshStream, type MeshIdentity, type MeshStream } from "../server/mesh-client.ts";

let ca: NodeCa;
let node: MeshIdentity;
let sidecar: MeshIdentity;
before(async () => {
  ca = await NodeCa.start();
  node = await identity(NODE_ID);
  sidecar = await identity(idOf("cart"));
});
after(async () => ca[Symbol.asyncDispose]());

const idOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;
const proxy = (proxyId: string, spiffeId = "") => ({ proxyId, spiffeId, subscriptions: [] });

const overreaches: readonly (readonly [string, (stream: MeshStream) => void])[] = [
  ["shows a token", (s) => s.send({ case: "tokens", value: { tokens: [ca.token("pay")] } })],
  ["shows no token at all", (s) => s.send({ case: "tokens", value: {} })],
  [
    "speaks for somebody else",
    (s) => s.report({ sequence: 1n, full: true, proxies: [proxy("p"), proxy("q", idOf("pay"))] }),
  ],
];

for (const [what, send] of overreaches) {
  test(`ends a sidecar's stream that ${what}, and counts nothing of it`, async () => {
    using stream = open(sidecar);
    stream.hello("sidecar");
    send(stream);
    assert.equal((await stream.ended).code, status.INVALID_ARGUMENT);
    assert.deepEqual(ca.roll.entries(), []);
  });
}

test("ends a node agent's stream that shows tokens before its Hello", async () => {
  using stream = open(node);
  stream.send({ case: "tokens", value: { tokens: [ca.token("pay")] } });
  assert.equal((await stream.ended).code, status.INVALID_ARGUMENT);
});

test("takes a sidecar's own identity by its name, as the same proxy", async () => {
  using stream = open(sidecar);
  stream.hello("sidecar");
  stream.report({ sequence: 1n, full: true, proxies: [proxy("p", idOf("cart"))] });
  stream.report({ sequence: 2n, proxies: [proxy("p")] });
  await until(() => stream.received.length === 3, "both reports");
  assert.deepEqual(shown(), [`${idOf("cart")} p`]);
  await stream.close();
});

test("counts for a node agent whom it has shown, and drops the rest", async () => {
  const [cart, brief] = [ca.token("cart"), ca.token("brief", 300)];
  using stream = open(node);
  stream.hello("node");
  stream.send({ case: "tokens", value: { tokens: [cart, "nobody's", brief] } });
  const proxies = ["cart", "pay", "brief"].map((name) => proxy("p", idOf(name)));
  stream.report({ sequence: 1n, full: true, proxies: [proxy("own"), ...proxies] });
  await until(() => stream.received.length === 2, "the report");
  assert.deepEqual(shown(), [`${idOf("brief")} p`, `${idOf("cart")} p`]);
  assert.deepEqual(unprovenIn(stream), [idOf("pay")]);
  await new Promise((resolve) => setTimeout(resolve, 320));
  stream.report({ sequence: 2n, proxies: [proxy("late", idOf("brief"))] });
  await until(() => stream.received.length === 3, "the late report");
  assert.deepEqual(shown(), [`${idOf("brief")} p`, `${idOf("cart")} p`]);
  assert.deepEqual(unprovenIn(stream), [idOf("brief")]);
  const dropped = ca.events.filter(({ event }) => event === "evidence-dropped");
  assert.deepEqual(
    new Set(dropped.map(({ claimed }) => claimed)),
    new Set([undefined, idOf("pay"), idOf("brief")]),
  );
  assert.equal(ca.events.filter(({ event }) => event === "workload-token-refused").length, 1);
  assert.doesNotMatch(JSON.stringify(ca.events), /nobody's|token-cart-/);
});

test("lets a token speak on the stream that it was shown on, and on no other", async () => {
  using first = open(node);
  first.hello("first");
  first.send({ case: "tokens", value: { tokens: [ca.token("one")] } });
  using second = open(node);
  second.hello("second");
  second.report({ sequence: 1n, full: true, proxies: [proxy("p", idOf("one"))] });
  await until(() => second.received.length === 2, "the report");
  assert(!shown().includes(`${idOf("one")} p`));
});

/** Of the newest acknowledgement. */
function unprovenIn({ received }: MeshStream): readonly string[] {
  const message = received.at(-1)?.message;
  assert(message?.case === "reportAck");
  return message.value.unproven;
}

function shown(): string[] {
  const connected = ca.roll.entries().filter((entry) => entry.connected);
  return connected.map((entry) => `${ownerOf(entry)} ${entry.evidence.proxyId}`).toSorted();
}

function open(own: MeshIdentity): MeshStream {
  return openMeshStream({ address: ca.address, rootPem: ca.rootPem } as never, own);
}

async function identity(spiffeId: string): Promise<MeshIdentity> {
  ca.nodeId = spiffeId;
  const { csrPem, privateKeyPkcs8 } = await createCsr();
  const request = {
    server: ca.address,
    serverRoots: Buffer.from(ca.rootPem),
    token: "any",
    csrPem,
    ttlSeconds: 0,
    timeoutMs: 5_000,
  };
  const [certificateChain = ""] = await requestCertificate(request, AbortSignal.timeout(5_000));
  return { certificateChain, privateKey: encodePem(privateKeyPkcs8, "PRIVATE KEY") };
}
