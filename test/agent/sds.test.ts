/** The agent's Secret Discovery Service, all three forms of it, over its real socket. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { lstatSync } from "node:fs";
import { after, before, test } from "node:test";
import { status, type ServiceError } from "@grpc/grpc-js";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, secretsIn } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { Secret } from "../../src/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";

const own = new AsyncDisposableStack();
let ca: ScriptedCa;
let agent: TestAgent;
let client: SdsClient;

before(async () => {
  ca = own.use(await ScriptedCa.start());
  const directory = own.use(temporaryDirectory()).path;
  agent = own.use(await TestAgent.start({ directory, server: ca.address, serverRoot: ca.rootPem }));
  client = own.use(new SdsClient(agent.socketPath));
  await agent.untilCount("certificate-received", 1);
});
after(async () => own.disposeAsync());

const id = "spiffe://cluster.local/ns/shop/sa/cart";
const certificateNames = ["default", id];
const bundleNames = ["ROOTCA", "spiffe://cluster.local"];
const foreignNames = [
  "",
  "Default",
  "default ",
  "rootca",
  "*",
  "spiffe://cluster.local/",
  "spiffe://cluster.local/ns/shop/sa/cart/",
  "spiffe://cluster.local/ns/shop/sa/other",
  "spiffe://other.local",
  "__proto__",
  "constructor",
];

for (const name of certificateNames) {
  test(`serves the certificate and its key as ${name}, in all three forms`, async () => {
    for (const secret of await inAllForms(name)) {
      const { certificate, key } = certificateOf(secret);
      assert.equal(certificate.subjectAltName, `URI:${id}`);
      assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
    }
  });
}

for (const name of bundleNames) {
  test(`serves the trust bundle as ${name}, in all three forms`, async () => {
    for (const { type } of await inAllForms(name)) {
      assert(type.case === "validationContext");
      assert.equal(inline(type.value.trustedCa?.specifier), ca.rootPem);
    }
  });
}

for (const name of foreignNames) {
  test(`gives nothing for ${JSON.stringify(name)}, and ends no stream for it`, async () => {
    using sotw = client.sotw();
    sotw.subscribe(name);
    await sotw.assertSilent();
    sotw.subscribe("ROOTCA");
    assert.deepEqual([...secretsIn(await sotw.next()).keys()], ["ROOTCA"]);
    using delta = client.delta();
    delta.send({ resourceNamesSubscribe: [name] });
    const { resources, removedResources } = await delta.next();
    assert.deepEqual([resources, removedResources], [[], [name]]);
    await assert.rejects(client.fetch([name]), { code: status.NOT_FOUND });
  });
}

test("fetches what exists of several names", async () => {
  const secrets = secretsIn(await client.fetch(["nothing", ...certificateNames, ...bundleNames]));
  assert.deepEqual(new Set(secrets.keys()), new Set([...certificateNames, ...bundleNames]));
});

test("gives nothing to who asks for nothing", async () => {
  using sotw = client.sotw();
  sotw.subscribe();
  await sotw.assertSilent();
  await assert.rejects(client.fetch([]), { code: status.NOT_FOUND });
});

test("ends a stream that asks for another type, and that stream alone", async () => {
  const typeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
  using bystander = client.sotw();
  bystander.subscribe("default");
  const response = await bystander.next();
  using sotw = client.sotw();
  sotw.send({ typeUrl, resourceNames: ["default"] });
  assert.equal(await sotw.ended(), status.INVALID_ARGUMENT);
  await assert.rejects(client.fetch(["default"], typeUrl), { code: status.INVALID_ARGUMENT });
  bystander.ack(response);
  await bystander.assertSilent();
});

test("keeps its socket to owner and group", () => {
  assert.equal(lstatSync(agent.socketPath).mode & 0o777, 0o660);
});

test("refuses the stream that is one too many, and takes the next when one has ended", async () => {
  using stack = new DisposableStack();
  // One connection has no room for so many.
  const clients = Array.from({ length: 4 }, () => stack.use(new SdsClient(agent.socketPath)));
  const streams = clients.flatMap((each) =>
    Array.from({ length: 64 }, (_, at) => {
      const stream = stack.use(each.sotw(`proxy-${at}`));
      stream.subscribe("ROOTCA");
      return stream;
    }),
  );
  await Promise.all(streams.map(async (stream) => stream.next()));
  using tooMany = client.sotw();
  tooMany.subscribe("ROOTCA");
  assert.equal(await tooMany.ended(), status.RESOURCE_EXHAUSTED);
  stack.dispose();
  await untilServed(client);
});

async function untilServed(client: SdsClient): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    using stream = client.sotw();
    stream.subscribe("ROOTCA");
    const answer = await stream.next().catch((error: unknown) => error as ServiceError);
    if (!(answer instanceof Error)) return;
  }
  assert.fail("no stream is taken any more");
}

async function inAllForms(name: string): Promise<Secret[]> {
  using sotw = client.sotw();
  sotw.subscribe(name);
  using delta = client.delta();
  delta.send({ resourceNamesSubscribe: [name] });
  const responses = [await sotw.next(), await delta.next(), await client.fetch([name])];
  return responses.map((response) => {
    const secrets = secretsIn(response);
    assert.equal(secrets.size, 1);
    const secret = secrets.get(name);
    assert(secret !== undefined);
    return secret;
  });
}

function certificateOf({ type }: Secret): { certificate: X509Certificate; key: string } {
  assert(type.case === "tlsCertificate");
  const { certificateChain, privateKey } = type.value;
  const certificate = new X509Certificate(inline(certificateChain?.specifier));
  return { certificate, key: inline(privateKey?.specifier) };
}

function inline(specifier: { case?: unknown; value?: unknown } | undefined): string {
  assert(specifier?.value instanceof Uint8Array);
  return Buffer.from(specifier.value).toString();
}
