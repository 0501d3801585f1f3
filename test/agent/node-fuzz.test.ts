/**
 * Whatever streams do in whatever order at a node agent's socket: each gets the secrets of its own token and nothing else,
 * and whoever behaves is served all the time.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Metadata } from "@grpc/grpc-js";
import * as fc from "fast-check";
import { SdsClient, secretsIn, type SotwStream } from "../support/agent-sds.ts";
import { bearer, nodeScene, type NodeScene } from "../support/node-agent.ts";
import type { DiscoveryResponse } from "../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";

let it: NodeScene;
/** Two pods of `cart`, one of `pay`, and one that nobody believes. */
let tokens: readonly string[];
let client: SdsClient;
let bystander: SdsClient;

before(async () => {
  it = await nodeScene();
  tokens = [it.ca.token("cart"), it.ca.token("cart"), it.ca.token("pay"), "nobody's"];
  client = new SdsClient(it.agent.socketPath);
  bystander = new SdsClient(it.agent.socketPath, bearer(it.ca.token("bystander")));
});
after(async () => {
  client[Symbol.dispose]();
  bystander[Symbol.dispose]();
  await it[Symbol.asyncDispose]();
});

const idOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;
const owners = [idOf("cart"), idOf("cart"), idOf("pay"), undefined];

const names = fc.constantFrom(
  "default",
  "ROOTCA",
  "spiffe://cluster.local",
  idOf("cart"),
  idOf("pay"),
  "file-root:system",
  "",
);
const who = fc.nat({ max: 3 });
const opening = fc.record({
  kind: fc.constant("open" as const),
  who,
  names: fc.array(names, { minLength: 1, maxLength: 3 }),
});
const action = fc.oneof(
  { weight: 2, arbitrary: opening },
  fc.record({ kind: fc.constant("ask" as const), at: fc.nat({ max: 9 }), name: names }),
  fc.record({ kind: fc.constant("answer" as const), at: fc.nat({ max: 9 }), good: fc.boolean() }),
  fc.record({ kind: fc.constant("close" as const), at: fc.nat({ max: 9 }) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 15 }) }),
);

interface Open {
  readonly who: number;
  readonly stream: SotwStream;
  readonly got: DiscoveryResponse[];
}

test("gives no stream the secrets of another's token", async () => {
  /** Serial numbers that each token was given. */
  const serials = tokens.map(() => new Set<string>());
  let served = 0;
  const run = async (actions: readonly ReturnType<typeof action.generate>["value"][]) => {
    const open: Open[] = [];
    const look = (each: Open): void => {
      for (const response of each.stream.take()) {
        each.got.push(response);
        served += secretsIn(response).size;
        for (const uri of certificatesIn(response, serials[each.who])) {
          assert.equal(uri, `URI:${owners[each.who]}`);
        }
      }
    };
    for (const act of actions) {
      open.forEach(look);
      if (act.kind === "open") {
        const stream = client.sotw(`proxy-${act.who}`, bearer(tokens[act.who] ?? ""));
        stream.subscribe(...act.names);
        open.push({ who: act.who, stream, got: [] });
      } else if (act.kind === "wait") {
        await sleep(act.ms);
      } else {
        const each = open[act.at % Math.max(1, open.length)];
        if (each === undefined) continue;
        const last = each.got.at(-1);
        if (act.kind === "ask") each.stream.subscribe(act.name);
        else if (act.kind === "close") each.stream[Symbol.dispose]();
        else if (last !== undefined && act.good) each.stream.ack(last);
        else if (last !== undefined) each.stream.nack(last, "no");
      }
    }
    await assertServed();
    await sleep(10);
    open.forEach(look);
    for (const { stream } of open) stream[Symbol.dispose]();
  };
  await fc.assert(fc.asyncProperty(fc.array(action, { minLength: 15, maxLength: 40 }), run), {
    numRuns: 60,
  });
  assert(served > 100, `only ${served} secrets`);
  const all = serials.flatMap((each) => [...each]);
  assert.equal(new Set(all).size, all.length, "two tokens were given one certificate");
  assert.equal(serials[3]?.size, 0);
});

test("lives through requests of any bytes, with any metadata", async () => {
  const headers = fc.constantFrom(
    "authorization",
    "istio_sds_credentials_header-bin",
    "istio_sds_credentail_header-bin",
    "x-other",
  );
  const bytes = fc.uint8Array({ maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(headers, bytes, bytes, async (name, value, body) => {
      const metadata = new Metadata();
      if (name.endsWith("-bin")) metadata.set(name, Buffer.from(value));
      else metadata.set(name, `Bearer ${Buffer.from(value).toString("base64url")}`);
      using stranger = new SdsClient(it.agent.socketPath, metadata);
      await stranger.sendBytes(body);
    }),
    { numRuns: 60 },
  );
  using own = new SdsClient(it.agent.socketPath, bearer(tokens[0] ?? ""));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (body) => {
      await own.sendBytes(body);
    }),
    { numRuns: 60 },
  );
  await assertServed();
  assert.deepEqual(it.agent.events("mesh-lost"), []);
});

async function assertServed(): Promise<void> {
  using stream = bystander.sotw();
  stream.subscribe("default");
  assert.deepEqual([...secretsIn(await stream.next()).keys()], ["default"]);
}

/** @param serials get the numbers of those that are there @returns their subjects */
function certificatesIn(response: DiscoveryResponse, serials: Set<string> | undefined): string[] {
  return [...secretsIn(response).values()].flatMap(({ type }) => {
    if (type.case !== "tlsCertificate") return [];
    const chain = type.value.certificateChain?.specifier;
    assert(chain?.case === "inlineBytes");
    const { serialNumber, subjectAltName } = new X509Certificate(chain.value);
    serials?.add(serialNumber);
    return [subjectAltName ?? ""];
  });
}
