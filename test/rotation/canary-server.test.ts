/** Who gets a canary's certificate, what the log knows of it, what it opens (nothing), and what waits for it. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { create, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { status, type Client, type ClientDuplexStream, type ServiceError } from "@grpc/grpc-js";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { createCsr } from "../../src/core/x509/csr-create.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { encodePem, parseSinglePem } from "../../src/core/x509/pem.ts";
import { agentMetadata } from "../../src/edge/rpc/agent-metadata.ts";
import { requestCertificate } from "../../src/edge/rpc/ca-client.ts";
import { dial, type ClientIdentity } from "../../src/edge/rpc/dial.ts";
import { encodeHandshakeReport } from "../../src/edge/rpc/handshake-messages.ts";
import { encodeHello, encodeReport, parseBundle } from "../../src/edge/rpc/mesh-messages.ts";
import { octetsOf } from "../../src/edge/rpc/mesh-fields.ts";
import { encodePolicyReports } from "../../src/edge/rpc/policy-report-messages.ts";
import { encodePolicy, policyDigest } from "../../src/edge/rpc/policy-messages.ts";
import { callUnary } from "../../src/edge/rpc/unary-call.ts";
import { methodDefinition } from "../../src/edge/rpc/service-definition.ts";
import {
  MeshService,
  SignBatchRequestSchema,
  SignCanaryRequestSchema,
  type ConnectRequest,
  type ConnectResponse,
  type ProveHandshakes,
  type TrustBundle,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { eventually, mint } from "../support/control-plane.ts";
import { must } from "../support/xds-stream.ts";
import { policyOf } from "../support/proxy-policies.ts";
import { CanaryRig, proxyId, proxyLaggard, workloadId } from "./canary-rig.ts";

const agentId = "agent-1";
let rig: CanaryRig;
beforeEach(async () => {
  rig = await CanaryRig.open();
});
afterEach(async () => rig[Symbol.asyncDispose]());

async function certificate(): Promise<ClientIdentity> {
  const { csrPem, privateKeyPkcs8 } = await createCsr();
  const { address: server, rootPem } = rig.server;
  const own = { server, serverRoots: Buffer.from(rootPem), agentId };
  const request = { ...own, token: mint(), csrPem, ttlSeconds: 0, timeoutMs: 5_000 };
  const [leaf = ""] = await requestCertificate(request, AbortSignal.timeout(5_000));
  return { certificateChain: leaf, privateKey: encodePem(privateKeyPkcs8, "PRIVATE KEY") };
}

function dialAs(identity: ClientIdentity): Client {
  const { address: server, rootPem } = rig.server;
  const client = dial({ server, serverRoots: Buffer.from(rootPem), identity });
  rig.use({ [Symbol.dispose]: () => client.close() });
  return client;
}

/** An agent with one Envoy whose listeners are ours; everything it says is told to the server by hand. */
class Agent {
  readonly client: Client;
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  readonly #wishes: ProveHandshakes[] = [];
  readonly #bundles: TrustBundle[] = [];
  #acked = 0n;
  #reports = 0n;
  #hasTold = false;

  constructor(identity: ClientIdentity) {
    this.client = dialAs(identity);
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      MeshService,
      MeshService.method.connect,
    );
    this.#stream = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream.on("data", ({ message }: ConnectResponse) => {
      if (message.case === "prove") this.#wishes.push(message.value);
      if (message.case === "bundle") this.#bundles.push(message.value);
      if (message.case === "reportAck") this.#acked = message.value.sequence;
    });
    this.#stream.on("error", () => {});
  }

  hello(wantsPolicy = true): void {
    this.#stream.write(encodeHello(agentId, "test", 0n, undefined, Date.now(), wantsPolicy));
  }

  /** @returns the digest of what it says that its Envoy has */
  tellProxy(hasListeners = true): string {
    const octets = encodePolicy(policyOf("strict"));
    const digest = policyDigest(octets);
    const applied = { digest, octets };
    const oldConnections = "unobserved" as const;
    const own = {
      proxyId,
      spiffeId: undefined,
      labels: new Map(),
      draining: new Map(),
      oldConnections,
      assignmentsAnswered: 0,
    };
    const proxies = [{ ...own, hasListeners, applied, isUnsure: false, nack: undefined }];
    const full = !this.#hasTold;
    this.#hasTold = true;
    const report = { full, complete: full, proxies, gone: [] };
    for (const each of encodePolicyReports(report)) this.#stream.write(each);
    return digest;
  }

  tellHandshake(rootSha256: string, rootsSequence: bigint, policyDigest: string): void {
    const proof = { rootSha256, rootsSequence, policyDigest, failure: undefined };
    this.#stream.write(encodeHandshakeReport({ proxyId, spiffeId: undefined, proof }));
  }

  /** By root, lower-case hex, what it was asked to prove, in order. */
  async asked(count: number): Promise<string[]> {
    await eventually(() => this.#wishes.length >= count);
    return this.#wishes.map(({ rootSha256 }) => Buffer.from(rootSha256).toString("hex"));
  }

  get rootsSequence(): bigint {
    return this.#wishes.at(-1)?.rootsSequence ?? 0n;
  }

  /** Evidence that its Envoy has acknowledged the newest bundle, and that it has it itself. @returns when it is in the roll */
  async confirm(): Promise<void> {
    const bundle = parseBundle(must(this.#bundles.at(-1)));
    const held = rootsDigest(bundle.roots);
    const { sequence: bundleSequence } = bundle;
    const acked = { atMs: Date.now(), bundleSequence, rootsDigest: held };
    const subscriptions = [{ streamId: 1n, resourceName: "ROOTCA", acked }];
    const own = { heldRootsDigest: held, heldBundleSequence: bundleSequence };
    const proxies = [{ proxyId, subscriptions }];
    const report = { sequence: ++this.#reports, full: true, proxies, gone: [], ...own };
    this.#stream.write(encodeReport(report));
    await eventually(() => this.#acked === this.#reports);
  }

  /** As many bundles have come. */
  async bundles(count: number): Promise<void> {
    await eventually(() => this.#bundles.length >= count);
  }

  end(): void {
    this.#stream.cancel();
  }
}

/** @returns the code of the refusal, or the chain */
async function signCanary(
  client: Client,
  rootSha256: string,
): Promise<number | { readonly chain: readonly string[]; readonly key: Uint8Array }> {
  const { csrPem: csr, privateKeyPkcs8: key } = await createCsr();
  const message = create(SignCanaryRequestSchema, { csr, rootSha256: octetsOf(rootSha256) });
  const reply = await call(client, MeshService.method.signCanary, message);
  return typeof reply === "number" ? reply : { chain: reply.certChain, key };
}

async function call<M extends DescMethodUnary>(
  client: Client,
  method: M,
  message: MessageShape<M["input"]>,
): Promise<MessageShape<M["output"]> | number> {
  const definition = methodDefinition(MeshService, method);
  const metadata = agentMetadata(agentId);
  try {
    const errorOf = (error: ServiceError): Error => error;
    return await callUnary(client, {
      method: definition,
      message,
      metadata,
      timeoutMs: 5_000,
      errorOf,
    });
  } catch (error) {
    return (error as ServiceError).code;
  }
}

/** An agent that has told of its proxy, and the root that it was asked about. */
async function askedAgent(): Promise<{ readonly agent: Agent; readonly root: string }> {
  const agent = new Agent(await certificate());
  agent.hello();
  agent.tellProxy();
  await rig.change("prepare");
  const [root = ""] = await agent.asked(1);
  return { agent, root };
}

async function canaryFor(agent: Agent, root: string): Promise<ClientIdentity & { serial: string }> {
  const signed = await signCanary(agent.client, root);
  assert.ok(typeof signed === "object");
  const [leaf = ""] = signed.chain;
  const { serialHex: serial } = parseCertificate(parseSinglePem(leaf, "CERTIFICATE"));
  return { certificateChain: leaf, privateKey: encodePem(signed.key, "PRIVATE KEY"), serial };
}

describe("SignCanary", { timeout: 30_000 }, () => {
  it("gives an agent that was asked a certificate under the next root, once a minute", async () => {
    const { agent, root } = await askedAgent();
    const { certificateChain } = await canaryFor(agent, root);
    const leaf = parseCertificate(parseSinglePem(certificateChain, "CERTIFICATE"));
    assert.deepEqual(leaf.uris, ["spiffe://td.test/portcullis/canary"]);
    assert.equal(await signCanary(agent.client, root), status.RESOURCE_EXHAUSTED);
    rig.server.advance(60_000);
    assert.equal(typeof (await signCanary(agent.client, root)), "object");
  });

  it("gives none to whoever has no stream, no listeners of ours, or another root in mind", async () => {
    const { agent, root } = await askedAgent();
    const refused = status.PERMISSION_DENIED;
    assert.equal(await signCanary(agent.client, "0a".repeat(32)), refused);
    agent.tellProxy(false);
    await eventually(async () => (await signCanary(agent.client, root)) === refused);
  });

  it("gives none while nothing is prepared, and tells so", async () => {
    const { agent, root } = await askedAgent();
    await rig.change("abort");
    assert.deepEqual(await agent.asked(2), [root, ""]);
    assert.equal(await signCanary(agent.client, root), status.PERMISSION_DENIED);
  });

  it("asks nobody whose Hello wants no policy", async () => {
    const agent = new Agent(await certificate());
    agent.hello(false);
    await agent.bundles(1);
    await rig.change("prepare");
    await agent.bundles(2);
    await agent.confirm();
    assert.deepEqual(await agent.asked(0), []);
  });
});

/** Of the proxy: why it is waited for. */
async function reason(): Promise<string | undefined> {
  return (await rig.laggards()).find(({ name }) => name === proxyLaggard)?.reason;
}

describe("the gate of activate", { timeout: 30_000 }, () => {
  it("waits until the proxy has proved it for the listeners that it has now", async () => {
    const { agent, root } = await askedAgent();
    await agent.confirm();
    const policy = agent.tellProxy();
    assert.equal(await reason(), "handshake-pending");
    const { rootsSequence } = agent;
    for (const [digest, sequence, ofPolicy] of [
      ["0a".repeat(32), rootsSequence, policy],
      [root, rootsSequence - 1n, policy],
      [root, rootsSequence, "0a".repeat(32)],
    ] as const) {
      agent.tellHandshake(digest, sequence, ofPolicy);
      await agent.confirm();
      assert.equal(await reason(), "handshake-pending");
    }
    agent.tellHandshake(root, rootsSequence, policy);
    await eventually(async () => (await reason()) === undefined);
    assert.deepEqual(await rig.change("activate"), {});
  });

  it("waits for an agent that has not said yet what its proxies listen on", async () => {
    const { agent, root } = await askedAgent();
    agent.end();
    const again = new Agent(await certificate());
    again.hello();
    await again.asked(1);
    await again.confirm();
    assert.equal(await reason(), "handshake-pending");
    const policy = again.tellProxy();
    again.tellHandshake(root, again.rootsSequence, policy);
    await eventually(async () => (await reason()) === undefined);
  });

  it("takes the acknowledgement of a proxy whose listeners are not ours, and counts it", async () => {
    const { agent } = await askedAgent();
    agent.tellProxy(false);
    await agent.confirm();
    assert.equal(await reason(), undefined);
    assert.equal((await rig.status()).verifiers?.ackOnly, 1n);
    assert.deepEqual(await rig.change("activate"), {});
  });
});

describe("a canary's certificate", { timeout: 30_000 }, () => {
  it("opens nothing at the server's port", async () => {
    const { agent, root } = await askedAgent();
    const canary = await canaryFor(agent, root);
    const client = dialAs(canary);
    assert.equal(await signCanary(client, root), status.UNAUTHENTICATED);
    const batch = create(SignBatchRequestSchema, { entries: [{ token: mint(), csr: "" }] });
    const refused = await call(client, MeshService.method.signBatch, batch);
    assert.equal(refused, status.UNAUTHENTICATED);
    const { csrPem } = await createCsr();
    const { address: server, rootPem } = rig.server;
    const own = { server, serverRoots: Buffer.from(rootPem), identity: canary, csrPem };
    await assert.rejects(
      requestCertificate({ ...own, ttlSeconds: 0, timeoutMs: 5_000 }, AbortSignal.timeout(5_000)),
      { code: "ca-unauthenticated" },
    );
    const ended = Promise.withResolvers<number>();
    const { path, requestSerialize, responseDeserialize } = methodDefinition(
      MeshService,
      MeshService.method.connect,
    );
    client
      .makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
      .on("data", () => {})
      .on("error", ({ code }: ServiceError) => ended.resolve(code));
    assert.equal(await ended.promise, status.UNAUTHENTICATED);
  });

  it("holds the root that is withdrawn until it has expired, by name", async () => {
    const { agent, root } = await askedAgent();
    const { serial } = await canaryFor(agent, root);
    assert.deepEqual(await rig.change("abort"), { refused: "holders-left" });
    const { holders } = await rig.status();
    const named = holders.flatMap(({ named }) => named).filter(({ name }) => name.endsWith(serial));
    assert.deepEqual(
      named.map(({ name, spiffeId }) => [name, spiffeId]),
      [[`certificate/${serial}`, "spiffe://td.test/portcullis/canary"]],
    );
    rig.server.advance(301_000);
    await eventually(async () => (await rig.change("abort")).refused === undefined);
  });

  it("makes its identity nobody's who is waited for", async () => {
    const { agent, root } = await askedAgent();
    await canaryFor(agent, root);
    const owners = (await rig.laggards()).map(({ spiffeId }) => spiffeId);
    assert.ok(!owners.includes("spiffe://td.test/portcullis/canary"), owners.join());
    assert.ok(owners.includes(workloadId));
  });
});
