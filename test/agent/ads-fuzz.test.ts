/** Whatever is sent on an ADS stream: the agent lives, and answers nothing but what was asked for. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import * as fc from "fast-check";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
} from "../../src/core/envoy/proxy-resources.ts";
import { secretTypeUrl } from "../../src/core/envoy/secret.ts";
import { emptyPolicy } from "../../src/core/policy/proxy-policy.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { inboundPort, meshCluster, outboundPort } from "../policy-envoy/policies.ts";
import { AdsClient } from "../support/agent-ads.ts";
import { SdsClient } from "../support/agent-sds.ts";
import { OpensslCa } from "../support/openssl-ca.ts";
import { secretSnapshot } from "../support/sds-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { AdsRig } from "./ads-rig.ts";

const own = new DisposableStack();
let rig: AdsRig;
let client: AdsClient;
let bystander: SdsClient;
let answers = 0;

const app = { kind: "ip", host: "127.0.0.1", port: 8080 } as const;
const inbound = inboundPort(8443, "tcp", "strict", app);
const cluster = meshCluster(inbound, "tcp");

before(async () => {
  const directory = own.use(temporaryDirectory()).path;
  const trustDomain = TrustDomain.parse("td.test");
  const id = SpiffeId.forServiceAccount(trustDomain, "shop", "server");
  const ca = new OpensslCa(directory, trustDomain);
  rig = own.use(new AdsRig(join(directory, "sds.sock"), id));
  await rig.start();
  rig.publish(secretSnapshot(ca.secrets(ca.issue(id), 1n)));
  const outbound = [outboundPort(9001, "tcp", inbound)];
  rig.feed.give({ ...emptyPolicy, inbound: [inbound], outbound, clusters: [cluster] });
  client = own.use(new AdsClient(join(directory, "sds.sock")));
  bystander = own.use(new SdsClient(join(directory, "sds.sock")));
});
after(() => own.dispose());

const text = fc.string({ maxLength: 40, unit: "binary" });
const types = [clusterTypeUrl, endpointTypeUrl, listenerTypeUrl, secretTypeUrl] as const;
const name = fc.oneof(
  fc.constantFrom("default", "ROOTCA", cluster.name, "inbound|8443", "*"),
  text,
  fc.constantFrom("", "__proto__", "x".repeat(5_000)),
);
const names = fc.oneof(
  { weight: 3, arbitrary: fc.constant<string[]>([]) },
  { weight: 2, arbitrary: fc.array(name, { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.array(name, { maxLength: 70 }) },
);
const error = fc.record({ code: fc.integer(), message: text });
const typeUrl = fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...types) }, text);
const label = fc.oneof(text, fc.integer(), fc.constant(null), fc.constant<string[]>([]));
const labels = fc.dictionary(text, label, { maxKeys: 3 });
const node = fc.record(
  {
    id: fc.oneof({ weight: 9, arbitrary: fc.constant("proxy-1") }, text),
    cluster: text,
    metadata: fc.dictionary(fc.constantFrom("LABELS", "OTHER"), fc.oneof(labels, label)),
  },
  { requiredKeys: ["id"] },
);
/** The nonces of a stream begin with what nobody knows; those that came are sent back as they are. */
const nonce = fc.oneof(fc.constant("<last>"), text);

const sotw = fc.record(
  {
    typeUrl,
    node,
    resourceNames: names,
    versionInfo: text,
    responseNonce: nonce,
    errorDetail: error,
  },
  { requiredKeys: ["typeUrl", "node"] },
);
const delta = fc.record(
  {
    typeUrl,
    node,
    resourceNamesSubscribe: names,
    resourceNamesUnsubscribe: names,
    initialResourceVersions: fc.dictionary(name, text, { maxKeys: 5 }),
    responseNonce: nonce,
    errorDetail: error,
  },
  { requiredKeys: ["typeUrl", "node"] },
);

const some = <T>(request: fc.Arbitrary<T>) => fc.array(request, { minLength: 1, maxLength: 8 });

test("answers state-of-the-world requests of any kind, each with its own type", async () => {
  const property = fc.asyncProperty(some(sotw), (requests) => talk(client.sotw(), requests));
  await fc.assert(property, { numRuns: 150 });
});

test("answers delta requests of any kind, each with its own type", async () => {
  const property = fc.asyncProperty(some(delta), (requests) => talk(client.delta(), requests));
  await fc.assert(property, { numRuns: 150 });
});

test("has answered all the time, and keeps no user of a stream that is gone", async () => {
  assert(answers > 100, `only ${answers} answers`);
  for (let waits = 0; rig.feed.users.size + rig.secretStreams > 0 && waits < 200; waits++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual([rig.feed.users.size, rig.secretStreams], [0, 0]);
});

interface Request {
  readonly typeUrl: string;
  readonly responseNonce?: string;
}

interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
}

interface Stream<R> extends Disposable {
  send(request: R): void;
  take(): readonly Response[];
}

async function talk<R extends Request>(to: Stream<R>, requests: readonly R[]): Promise<void> {
  using stream = to;
  const asked = new Set<string>();
  let last = "";
  for (const request of requests) {
    asked.add(request.typeUrl);
    stream.send(request.responseNonce === "<last>" ? { ...request, responseNonce: last } : request);
    if (request.responseNonce !== undefined) await assertAlive();
    for (const response of stream.take()) last = assertAsked(response, asked);
  }
  await assertAlive();
  for (const response of stream.take()) assertAsked(response, asked);
}

/** @returns its nonce */
function assertAsked({ typeUrl, nonce }: Response, asked: ReadonlySet<string>): string {
  answers += 1;
  assert(asked.has(typeUrl), `got ${typeUrl} without asking`);
  return nonce;
}

async function assertAlive(): Promise<void> {
  await bystander.fetch(["ROOTCA"]);
}
