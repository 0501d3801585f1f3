/**
 * Whatever is sent to the agent's socket: it lives, and nobody gets what he did not ask for by its
 * right name.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { secretTypeUrl } from "../../src/core/envoy/secret.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, secretsIn } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const own = new AsyncDisposableStack();
let agent: TestAgent;
let client: SdsClient;
let bystander: SdsClient;
let served = 0;

before(async () => {
  const ca = own.use(await ScriptedCa.start());
  const directory = own.use(temporaryDirectory()).path;
  agent = own.use(await TestAgent.start({ directory, server: ca.address, serverRoot: ca.rootPem }));
  client = own.use(new SdsClient(agent.socketPath));
  bystander = own.use(new SdsClient(agent.socketPath));
  await agent.untilCount("mesh-connected", 1);
});
after(async () => own.disposeAsync());

const ours: ReadonlySet<string> = new Set([
  "default",
  "ROOTCA",
  "spiffe://cluster.local",
  "spiffe://cluster.local/ns/shop/sa/cart",
]);

const text = fc.string({ maxLength: 40, unit: "binary" });
const name = fc.oneof(
  fc.constantFrom(...ours),
  text,
  fc.constantFrom("", "*", "__proto__", "DEFAULT", "x".repeat(5_000)),
);
const names = fc.array(name, { maxLength: 70 });
const error = fc.record({ code: fc.integer(), message: text });
const typeUrl = fc.oneof({ weight: 9, arbitrary: fc.constant(secretTypeUrl) }, text);

const sotw = fc.record(
  { typeUrl, resourceNames: names, versionInfo: text, responseNonce: text, errorDetail: error },
  { requiredKeys: [] },
);
const delta = fc.record(
  {
    resourceNamesSubscribe: names,
    resourceNamesUnsubscribe: names,
    initialResourceVersions: fc.dictionary(name, text, { maxKeys: 5 }),
    responseNonce: text,
    errorDetail: error,
  },
  { requiredKeys: [] },
);

test("answers state-of-the-world requests of any kind only by the names in them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(sotw, { minLength: 1, maxLength: 6 }),
      text,
      async (requests, node) => {
        using stream = client.sotw(node);
        for (const request of requests) stream.send(request);
        const asked = requests.flatMap(({ resourceNames = [] }) => resourceNames);
        await assertAlive();
        for (const response of stream.take()) assertAsked(secretsIn(response).keys(), asked);
      },
    ),
    { numRuns: 150 },
  );
});

test("answers delta requests of any kind only by the names in them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(delta, { minLength: 1, maxLength: 6 }),
      text,
      async (requests, node) => {
        using stream = client.delta(node);
        for (const request of requests) stream.send(request);
        const asked = requests.flatMap(({ resourceNamesSubscribe = [] }) => resourceNamesSubscribe);
        await assertAlive();
        for (const response of stream.take()) assertAsked(secretsIn(response).keys(), asked);
      },
    ),
    { numRuns: 150 },
  );
});

test("fetches by any names nothing but ours", async () => {
  await fc.assert(
    fc.asyncProperty(names, async (asked) => {
      const response = await client.fetch(asked).catch(() => undefined);
      if (response !== undefined) assertAsked(secretsIn(response).keys(), asked);
    }),
    { numRuns: 100 },
  );
});

test("lives through bytes that are no request", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
      await client.sendBytes(bytes);
      await assertAlive();
    }),
    { numRuns: 100 },
  );
  assert.notEqual(await client.sendBytes(new Uint8Array(1_000_000)), 0);
  await assertAlive();
});

test("has given its secrets all the time, and still has its stream to the control plane", () => {
  assert(served > 200, `only ${served} secrets`);
  assert.deepEqual(agent.events("mesh-lost"), []);
});

function assertAsked(got: Iterable<string>, asked: readonly string[]): void {
  for (const name of got) {
    served += 1;
    assert(ours.has(name), `got ${name}`);
    assert(asked.includes(name), `got ${name} without asking`);
  }
}

async function assertAlive(): Promise<void> {
  assert.deepEqual([...secretsIn(await bystander.fetch(["ROOTCA"])).keys()], ["ROOTCA"]);
}
