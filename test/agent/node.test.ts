/** The node agent: whose secrets a stream gets, who gets none, and what that costs the CA. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { SdsClient, secretsIn, serialOf, type SotwStream } from "../support/agent-sds.ts";
import { bearer, nodeScene, type NodeScene } from "../support/node-agent.ts";
import type { Secret } from "../../src/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";

let it: NodeScene;
before(async () => {
  it = await nodeScene();
});
after(async () => it[Symbol.asyncDispose]());

const idOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;

test("serves each stream the certificate of its own token, under all its names", async () => {
  const [cart, pay] = [it.ca.token("cart"), it.ca.token("pay")];
  for (const [name, token] of [["cart", cart] as const, ["pay", pay] as const]) {
    const client = it.client(token);
    using stream = client.sotw();
    stream.subscribe("default", idOf(name), "ROOTCA", "spiffe://cluster.local");
    const secrets = secretsIn(await stream.next());
    assert.equal(secrets.size, 4);
    assert.equal(uriOf(secrets.get("default")), `URI:${idOf(name)}`);
    assert.equal(serialOf(secrets.get(idOf(name))), serialOf(secrets.get("default")));
  }
});

test("asks once for all streams with one token, and again for another of the same account", async () => {
  const [one, other] = [it.ca.token("cart"), it.ca.token("cart")];
  const serials: (string | undefined)[] = [];
  for (const token of [one, one, other]) {
    const client = it.client(token);
    using stream = client.sotw();
    stream.subscribe("default");
    const [secret] = secretsIn(await stream.next()).values();
    serials.push(serialOf(secret));
  }
  assert.equal(serials[0], serials[1]);
  assert.notEqual(serials[0], serials[2]);
  assert.deepEqual([it.ca.asked(one), it.ca.asked(other)], [1, 1]);
});

const good = "good-token";
const headers: readonly (readonly [string, (metadata: Metadata) => void, number])[] = [
  ["no token", () => {}, status.UNAUTHENTICATED],
  ["an empty value", (m) => m.set("authorization", ""), status.UNAUTHENTICATED],
  ["another scheme", (m) => m.set("authorization", `Basic ${good}`), status.UNAUTHENTICATED],
  ["a scheme without a token", (m) => m.set("authorization", "Bearer "), status.UNAUTHENTICATED],
  [
    "a scheme in lower case",
    (m) => m.set("authorization", `bearer ${good}`),
    status.UNAUTHENTICATED,
  ],
  ["two tokens in one", (m) => m.set("authorization", `Bearer ${good} x`), status.UNAUTHENTICATED],
  [
    "a token of 12,289 characters",
    (m) => m.set("authorization", `Bearer ${"a".repeat(12_289)}`),
    status.UNAUTHENTICATED,
  ],
  [
    "the same token in two headers",
    (m) => {
      m.set("authorization", `Bearer ${good}`);
      m.set("istio_sds_credentials_header-bin", Buffer.from(good));
    },
    status.UNAUTHENTICATED,
  ],
  [
    "bytes that are no text",
    (m) => m.set("istio_sds_credentials_header-bin", Buffer.from([0xff, 0xfe, 0])),
    status.UNAUTHENTICATED,
  ],
  [
    "no bytes",
    (m) => m.set("istio_sds_credentials_header-bin", Buffer.from("\n")),
    status.UNAUTHENTICATED,
  ],
  [
    "a name that is not Istio's",
    (m) => m.set("istio_sds_credentials-bin", Buffer.from(good)),
    status.UNAUTHENTICATED,
  ],
  [
    "a token that nobody believes",
    (m) => m.set("authorization", "Bearer bad"),
    status.UNAUTHENTICATED,
  ],
];

for (const [what, set, code] of headers) {
  test(`ends each kind of call with ${what}, and serves it nothing`, async () => {
    it.ca.believed.set(good, { id: idOf("cart"), expiresAtMs: Date.now() + 60_000 });
    const metadata = new Metadata();
    set(metadata);
    using client = new SdsClient(it.agent.socketPath, metadata);
    using sotw = client.sotw();
    sotw.subscribe("default", "ROOTCA");
    assert.equal(await sotw.ended(), code);
    using delta = client.delta();
    delta.send({ resourceNamesSubscribe: ["default", "ROOTCA"] });
    assert.equal(await delta.ended(), code);
    await assert.rejects(client.fetch(["ROOTCA"]), { code });
    assert.deepEqual([...sotw.take(), ...delta.take()], []);
  });
}

for (const name of ["istio_sds_credentials_header-bin", "istio_sds_credentail_header-bin"]) {
  test(`takes a token in ${name}, with a line's end or without`, async () => {
    const token = it.ca.token("cart");
    for (const bytes of [token, `${token}\n`]) {
      const metadata = new Metadata();
      metadata.set(name, Buffer.from(bytes));
      using client = new SdsClient(it.agent.socketPath, metadata);
      using stream = client.sotw();
      stream.subscribe("default");
      assert.equal(secretsIn(await stream.next()).size, 1);
    }
    assert.equal(it.ca.asked(token), 1);
  });
}

const foreign = [
  idOf("pay"),
  "spiffe://cluster.local/ns/shop/sa/cart/",
  "spiffe://cluster.local/ns/mesh/sa/node-agent",
  "spiffe://other.local",
  "spiffe://",
];

for (const name of foreign) {
  test(`ends the stream that asks for ${name}, and says who did`, async () => {
    const before = it.agent.events("foreign-secret-asked").length;
    const client = it.client(it.ca.token("cart"));
    using early = client.sotw("early");
    early.subscribe("default", name);
    assert.equal(await early.ended(), status.PERMISSION_DENIED);
    using late = client.delta("late");
    late.send({ resourceNamesSubscribe: ["ROOTCA"] });
    await late.next();
    late.send({ resourceNamesSubscribe: [name] });
    assert.equal(await late.ended(), status.PERMISSION_DENIED);
    assert.deepEqual([...early.take(), ...late.take()], []);
    await assert.rejects(client.fetch([name]), { code: status.PERMISSION_DENIED });
    const told = it.agent.events("foreign-secret-asked").slice(before);
    assert.deepEqual(
      told.map(({ spiffeId, proxyId, name }) => [spiffeId, proxyId, name]),
      ["early", "late", ""].map((proxyId) => [idOf("cart"), proxyId, name]),
    );
  });
}

for (const name of ["", "file-root:system", "SPIFFE://cluster.local", "*", "__proto__"]) {
  test(`leaves ${JSON.stringify(name)} unanswered, and the stream open`, async () => {
    using stream = it.client(it.ca.token("cart")).sotw();
    stream.subscribe(name);
    await stream.assertSilent();
    stream.subscribe("ROOTCA");
    assert.deepEqual([...secretsIn(await stream.next()).keys()], ["ROOTCA"]);
  });
}

test("does not ask again about a token that was refused a moment ago", async () => {
  const client = it.client("nobody's");
  for (let count = 0; count < 20; count++) {
    using stream = client.sotw();
    stream.subscribe("default");
    assert.equal(await stream.ended(), status.UNAUTHENTICATED);
  }
  assert.equal(it.ca.asked("nobody's"), 1);
  const [refused] = it.agent.events("token-refused").slice(-1);
  assert.equal(refused?.["code"], status.UNAUTHENTICATED);
  assert(!JSON.stringify(it.agent.events("token-refused")).includes("nobody's"));
});

test("ends the streams of a token that is not allowed anything with the server's code", async () => {
  const token = it.ca.token("cart");
  it.ca.answers.set(token, { code: status.PERMISSION_DENIED });
  using stream = it.client(token).sotw();
  stream.subscribe("default");
  assert.equal(await stream.ended(), status.PERMISSION_DENIED);
});

for (const code of [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.INVALID_ARGUMENT]) {
  test(`waits in silence while the server answers ${status[code]}, and then serves`, async () => {
    const token = it.ca.token("cart");
    it.ca.answers.set(token, { code, retryAfterMs: 150 });
    using stream = it.client(token).sotw();
    stream.subscribe("default", "ROOTCA");
    await stream.assertSilent();
    assert.equal(it.ca.asked(token), 1);
    it.ca.answers.delete(token);
    assert.equal(secretsIn(await stream.next()).size, 2);
    assert.equal(it.ca.asked(token), 2);
  });
}

const lies: readonly (readonly [string, Parameters<typeof it.ca.answers.set>[1]])[] = [
  ["a certificate of somebody else than it says", { certOf: idOf("pay") }],
  ["another identity than the certificate's", { certOf: idOf("cart"), says: idOf("pay") }],
  [
    "a certificate of another trust domain",
    { certOf: "spiffe://other.local/ns/a/sa/b", says: "spiffe://other.local/ns/a/sa/b" },
  ],
  ["an identity that is none", { certOf: idOf("cart"), says: "nobody" }],
  ["nothing for it", { empty: true }],
];

for (const [what, answer] of lies) {
  test(`serves nothing when the server answers with ${what}, and spoils nobody else's`, async () => {
    const [token, other] = [it.ca.token("cart"), it.ca.token("pay")];
    it.ca.answers.set(token, answer);
    using stream = it.client(token).sotw();
    using bystander = it.client(other).sotw();
    for (const each of [stream, bystander]) each.subscribe("default", "ROOTCA");
    assert.equal(secretsIn(await bystander.next()).size, 2);
    await stream.assertSilent();
    assert.equal(it.ca.asked(other), 1);
    it.ca.answers.delete(token);
    assert.equal(uriOf(secretsIn(await stream.next()).get("default")), `URI:${idOf("cart")}`);
  });
}

test("sends what is due together in one batch, and no more than 50 or 60 KiB", async () => {
  const before = it.ca.batches.length;
  const small = Array.from({ length: 60 }, () => it.ca.token("cart"));
  await all(small);
  const sizes = it.ca.batches.slice(before).map(({ length }) => length);
  assert.equal(
    sizes.reduce((a, b) => a + b),
    60,
  );
  assert(sizes.length <= 6, sizes.join(" "));
  assert(Math.max(...sizes) <= 50);
  const big = Array.from({ length: 12 }, () => {
    const token = `${it.ca.token("cart")}-${"x".repeat(11_000)}`;
    it.ca.believed.set(token, { id: idOf("cart"), expiresAtMs: Date.now() + 60_000 });
    return token;
  });
  await all(big);
  for (const batch of it.ca.batches.slice(before)) {
    const bytes = batch.map(({ token, csr }) => token.length + csr.length);
    assert(bytes.reduce((a, b) => a + b) <= 60 * 1_024);
  }
});

for (const end of [
  { code: status.UNAVAILABLE },
  { code: status.PERMISSION_DENIED },
  "omit",
] as const) {
  const how = end === "omit" ? "lacks a result" : `ends with ${status[end.code]}`;
  test(`tries a batch again that ${how}, with all its entries`, async () => {
    const tokens = [it.ca.token("cart"), it.ca.token("pay")];
    const failed = it.agent.events("batch-failed").length;
    it.ca.script.push(end);
    await all(tokens);
    assert(it.agent.events("batch-failed").length > failed);
    const counts = tokens.map((token) => it.ca.asked(token));
    assert.equal(Math.max(...counts), 2);
  });
}

test("says once that the server does not take it for a node agent, and what to do, and goes on", async () => {
  const failed = it.agent.events("batch-failed").length;
  for (let count = 0; count < 3; count++) it.ca.script.push({ code: status.PERMISSION_DENIED });
  await all([it.ca.token("cart")]);
  assert.deepEqual(it.ca.script, []);
  const said = it.agent.events("batch-failed").slice(failed);
  assert.deepEqual(
    said.map(({ reason, hint }) => [reason, hint]),
    [["batch-not-allowed", "at the server: --node-agent and the ID that this agent has"]],
  );
});

test("takes a server that has just opened its port, and not its batches, for one that is starting", async () => {
  const failed = it.agent.events("batch-failed").length;
  it.ca.script.push({ code: status.UNIMPLEMENTED });
  await all([it.ca.token("cart")]);
  const said = it.agent.events("batch-failed").slice(failed);
  assert.deepEqual(
    said.map(({ reason, hint }) => [reason, hint]),
    [["batch-unreachable", "the server is starting, or is older than node agents"]],
  );
});

test("keeps each workload's set to its owner, under a name that is no token", async () => {
  const token = it.ca.token("cart");
  await all([token]);
  const directory = join(it.directory, "state", "workloads");
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const names = readdirSync(directory);
  assert(names.length > 0);
  for (const name of names) {
    assert.match(name, /^[0-9a-f]{64}\.json$/);
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
    assert(!readFileSync(join(directory, name), "utf8").includes(token));
  }
});

test("has one connection for all its batches, until its certificate is renewed", () => {
  assert(it.ca.batches.length > 10);
  assert.equal(new Set(it.ca.batchPeers).size, 1);
});

test("never logs a token", () => {
  for (const event of ["stream-refused", "token-refused", "batch-failed", "signing-put-off"]) {
    const events = it.agent.events(event);
    assert(events.length > 0, event);
    assert.doesNotMatch(JSON.stringify(events), /good-token|token-cart-|token-pay-/);
  }
});

/** On one connection, so that they come together. */
async function all(tokens: readonly string[]): Promise<void> {
  using client = new SdsClient(it.agent.socketPath);
  using streams = new DisposableStack();
  const opened = tokens.map((token): SotwStream => {
    const stream = streams.use(client.sotw("proxy-1", bearer(token)));
    stream.subscribe("default");
    return stream;
  });
  await Promise.all(opened.map(async (stream) => stream.next()));
}

function uriOf(secret: Secret | undefined): string | undefined {
  assert(secret?.type.case === "tlsCertificate");
  const specifier = secret.type.value.certificateChain?.specifier;
  assert(specifier?.case === "inlineBytes");
  return new X509Certificate(specifier.value).subjectAltName;
}
