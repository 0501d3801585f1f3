/** How an agent keeps its workload certified: by a CA that refuses, lies and is away. */

import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { parsePublicKey } from "../../src/core/x509/public-key.ts";
import { ScriptedCa, type CaAnswer, type CaRequest } from "../support/agent-ca.ts";
import { SdsClient, secretsIn, serialOf } from "../support/agent-sds.ts";
import { TestAgent, type TestAgentOptions } from "../support/agent.ts";
import { makeAuthority } from "../support/authority.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

interface Scene extends AsyncDisposable {
  readonly ca: ScriptedCa;
  readonly directory: string;
  start(changes?: Partial<TestAgentOptions>): Promise<TestAgent>;
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const ca = stack.use(await ScriptedCa.start());
  const owned = stack.move();
  const options = { directory, server: ca.address, serverRoot: ca.rootPem };
  return {
    ca,
    directory,
    start: async (changes) => owned.use(await TestAgent.start({ ...options, ...changes })),
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

const judgements = [status.INVALID_ARGUMENT, status.PERMISSION_DENIED, status.UNAUTHENTICATED];

// Most of the time is spent waiting for certificates to age.
describe("an agent", { concurrency: true, timeout: 20_000 }, () => {
  test("renews at half of the life left at receipt, with a new key and token", async () => {
    await using scene = await openScene();
    const { ca, directory } = scene;
    ca.ttlSeconds = 3;
    const agent = await scene.start();
    const { notAfter } = await agent.untilCount("certificate-received", 1);
    writeFileSync(join(directory, "token"), "token-2\n");
    await agent.untilCount("certificate-received", 2);
    const [first, second] = ca.requests;
    assert(first !== undefined && second !== undefined);
    assert.deepEqual(
      [first.authorization, second.authorization],
      ["Bearer token-1", "Bearer token-2"],
    );
    assert.notDeepEqual(first.publicKey.spki, second.publicKey.spki);
    const lifeMs = Date.parse(String(notAfter)) - first.atMs;
    const waitedMs = second.atMs - first.atMs;
    assert(Math.abs(waitedMs - lifeMs / 2) < 250, `waited ${waitedMs} of ${lifeMs} ms`);
  });

  test("reads the server's root again for each attempt", async () => {
    await using scene = await openScene();
    const foreign = await makeAuthority("p256", Date.now());
    const agent = await scene.start({ serverRoot: encodePem(foreign.root, "CERTIFICATE") });
    const { reason } = await agent.untilCount("renewal-failed", 1);
    assert.equal(reason, "ca-untrusted");
    assert.equal(scene.ca.requests.length, 0);
    writeFileSync(join(scene.directory, "root.pem"), scene.ca.rootPem);
    await agent.untilCount("certificate-received", 1);
  });

  test("never shows a token that cannot be sent, and takes the next one", async () => {
    await using scene = await openScene();
    const secret = "secret-1";
    const agent = await scene.start({ token: `${secret}\n${secret}\u00e9` });
    const failed = await agent.untilCount("renewal-failed", 1);
    assert.equal(failed["reason"], "ca-token-malformed");
    assert(!JSON.stringify(agent.events("renewal-failed")).includes(secret));
    writeFileSync(join(scene.directory, "token"), "token-2");
    await agent.untilCount("certificate-received", 1);
    assert.equal(scene.ca.requests[0]?.authorization, "Bearer token-2");
  });

  test("asks again after every gRPC status that judges nothing, at a pace, and holds what it has", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    ca.ttlSeconds = 6;
    const codes = Array.from({ length: 16 }, (_, at) => at + 1).filter(
      (code) => !judgements.includes(code),
    );
    const agent = await scene.start();
    const { serial } = await agent.untilCount("certificate-received", 1);
    for (const code of codes) ca.script.push(() => ({ code }));
    await agent.untilCount("renewal-failed", codes.length - 1);
    assert.equal(await servedSerial(agent), serial);
    await agent.untilCount("certificate-received", 2);
    assert.equal(ca.requests.length, codes.length + 2);
    for (const waitedMs of gaps(ca.requests.slice(1))) {
      assert(waitedMs >= 140 && waitedMs < 400, `waited ${waitedMs} ms`);
    }
  });

  test("waits longer after each judgement, also in the last seconds, and holds nothing after them", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    ca.ttlSeconds = 6;
    for (const code of [0, ...judgements, ...judgements]) {
      ca.script.push((request) => (code === 0 ? ca.sign(request.publicKey) : { code }));
    }
    const agent = await scene.start();
    const { notAfter } = await agent.untilCount("certificate-received", 1);
    await agent.untilCount("certificate-expired", 1);
    const endMs = Date.parse(String(notAfter));
    const before = ca.requests.slice(1).filter(({ atMs }) => atMs < endMs);
    assert(before.length >= 3 && before.length <= 5, `asked ${before.length} times in 3 s`);
    await agent.untilCount("renewal-failed", before.length + 1);
    const held = agent.events("renewal-failed").map(({ heldUntil }) => heldUntil);
    assert.deepEqual(held.slice(0, before.length - 1), held.slice(1, before.length));
    assert.equal(held[0], notAfter);
    assert.equal(held[before.length], undefined);
  });

  test("asks at its start for a certificate of the root that the server has now", async () => {
    await using scene = await openScene();
    const first = await scene.start();
    const { serial } = await first.untilCount("certificate-received", 1);
    await first.stop();
    await using other = await ScriptedCa.start();
    const agent = await scene.start({ server: other.address, serverRoot: other.rootPem });
    const next = await agent.untilCount("certificate-received", 1);
    assert.notEqual(next["serial"], serial);
    assert.equal(other.requests.length, 1);
  });

  test("does so once only where certificates come of another root than the server's own", async () => {
    await using scene = await openScene();
    await using signer = await ScriptedCa.start();
    for (let count = 0; count < 5; count++) {
      scene.ca.script.push(({ publicKey }) => signer.sign(publicKey));
    }
    const agent = await scene.start();
    await agent.untilCount("certificate-received", 1);
    await sleep(300);
    assert.equal(scene.ca.requests.length, 1);
  });

  test("waits longer after each failure while it has no certificate at all", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    for (let count = 0; count < 4; count++) ca.script.push(() => ({ code: status.UNAVAILABLE }));
    const agent = await scene.start();
    await agent.untilCount("certificate-received", 1);
    const expected = [150, 300, 600, 1_200];
    for (const [at, waitedMs] of gaps(ca.requests).entries()) {
      const want = expected[at] ?? 0;
      assert(waitedMs > want - 20 && waitedMs < want + 200, `waited ${waitedMs}, not ${want} ms`);
    }
  });

  test("believes no reply that does not hold, and goes on with what it has", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    ca.ttlSeconds = 5;
    const agent = await scene.start({ trustDomain: TrustDomain.parse("cluster.local") });
    const { serial } = await agent.untilCount("certificate-received", 1);
    const lies = await liesOf(ca);
    for (const { answer } of lies) ca.script.push(answer);
    await agent.untilCount("renewal-failed", lies.length);
    assert.equal(await servedSerial(agent), serial);
    const reasons = agent.events("renewal-failed").map(({ reason }) => reason);
    assert.deepEqual(
      reasons,
      lies.map(({ reason }) => reason),
    );
    await agent.untilCount("certificate-received", 2);
  });

  test("withdraws a certificate when it expires, and serves the next to who waits", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    ca.ttlSeconds = 2;
    const agent = await scene.start();
    const { notAfter } = await agent.untilCount("certificate-received", 1);
    ca.close();
    await agent.untilCount("certificate-expired", 1);
    assert(Date.now() - Date.parse(String(notAfter)) < 250);
    using client = new SdsClient(agent.socketPath);
    using late = client.sotw();
    late.subscribe("default");
    using delta = client.delta();
    delta.send({ resourceNamesSubscribe: ["default"] });
    await Promise.all([late.assertSilent(), delta.assertSilent()]);
    await assert.rejects(client.fetch(["default"]), { code: status.UNAVAILABLE });
    assert.deepEqual([...secretsIn(await client.fetch(["ROOTCA"])).keys()], ["ROOTCA"]);
    ca.ttlSeconds = 60;
    await ca.open();
    const { serial } = await agent.untilCount("certificate-received", 2);
    for (const response of [await late.next(), await delta.next()]) {
      assert.equal(serialOf(secretsIn(response).get("default")), serial);
    }
  });

  test("is silent about every name until it knows its own", async () => {
    await using scene = await openScene();
    const { ca } = scene;
    ca.close();
    const agent = await scene.start();
    using client = new SdsClient(agent.socketPath);
    const names = ["default", "ROOTCA", "spiffe://cluster.local/ns/shop/sa/cart", "nothing"];
    using sotw = client.sotw();
    sotw.subscribe(...names);
    using delta = client.delta();
    delta.send({ resourceNamesSubscribe: names });
    await Promise.all([sotw.assertSilent(), delta.assertSilent()]);
    await assert.rejects(client.fetch(names), { code: status.UNAVAILABLE });
    await ca.open();
    assert.deepEqual([...secretsIn(await sotw.next()).keys()], names.slice(0, 3));
    const response = await delta.next();
    assert.deepEqual([...secretsIn(response).keys()], names.slice(0, 3));
    assert.deepEqual(response.removedResources, ["nothing"]);
  });
});

interface Lie {
  readonly reason: string | undefined;
  readonly answer: (request: CaRequest) => CaAnswer;
}

async function liesOf(ca: ScriptedCa): Promise<readonly Lie[]> {
  const stranger = await makeAuthority("p256", Date.now());
  const foreignRoot = encodePem(stranger.root, "CERTIFICATE");
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const foreignKey = parsePublicKey(publicKey.export({ format: "der", type: "spki" }));
  const root = ca.rootPem;
  const uris = (...names: readonly string[]) => {
    return (request: CaRequest) => ca.sign(request.publicKey, names);
  };
  return [
    { reason: "reply-incomplete", answer: () => [] },
    { reason: "reply-incomplete", answer: () => [root] },
    { reason: "reply-foreign-key", answer: () => ca.sign(foreignKey) },
    { reason: "reply-foreign-identity", answer: uris(ca.spiffeId, `${ca.spiffeId}-2`) },
    { reason: "reply-foreign-identity", answer: uris("spiffe://other.local/ns/shop/sa/cart") },
    { reason: "spiffe-id-scheme-invalid", answer: uris("https://cluster.local/") },
    { reason: "chain-no-root", answer: (request) => [ca.leaf(request.publicKey), foreignRoot] },
    {
      reason: "chain-broken",
      answer: (request) => [ca.leaf(request.publicKey), foreignRoot, root],
    },
    { reason: "pem-block-missing", answer: () => [randomBytes(100).toString("base64"), root] },
  ];
}

async function servedSerial({ socketPath }: TestAgent): Promise<string | undefined> {
  using client = new SdsClient(socketPath);
  return serialOf(secretsIn(await client.fetch(["default"])).get("default"));
}

function gaps(requests: readonly CaRequest[]): number[] {
  const times = requests.map(({ atMs }) => atMs);
  return times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0));
}
