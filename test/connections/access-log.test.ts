/** The agent's AccessLogService over its real socket: what it hears of, and what it ends. */

import assert, { fail } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { AccessLogService } from "../../src/app/agent/connections/access-log-service.ts";
import { ConnectionFeed } from "../../src/app/agent/connections/connection-feed.ts";
import { PolicyOwner } from "../../src/app/agent/policy/policy-owner.ts";
import { SecretChannel } from "../../src/app/agent/secret-channel.ts";
import { nothingYet } from "../../src/app/agent/secrets.ts";
import { xdsMessageBytesMax } from "../../src/app/agent/xds-calls.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { createLocalServer } from "../../src/edge/rpc/grpc-server.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { StreamAccessLogsMessageSchema } from "../../src/gen/envoy/service/accesslog/v3/als_pb.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const id = SpiffeId.parse("spiffe://td.test/ns/shop/sa/server");
const streamsMax = 3;

const refused: Readonly<Record<string, readonly [messages: readonly Uint8Array[], code: number]>> =
  {
    "that does not say whose it is": [[message(undefined)], status.INVALID_ARGUMENT],
    "of an Envoy with an endless name": [[message("a".repeat(1_025))], status.INVALID_ARGUMENT],
    "of what is no message": [[Uint8Array.of(0x1a, 0xff)], status.INTERNAL],
    "with a message of more than 2 MiB": [
      [message("a".repeat(xdsMessageBytesMax + 1))],
      status.RESOURCE_EXHAUSTED,
    ],
  };

for (const [what, [messages, code]] of Object.entries(refused)) {
  test(`ends a stream ${what}`, async () => {
    await using scene = await openScene();
    const { call, ended } = scene.open();
    for (const each of messages) call.write(each);
    assert.equal(await ended, code);
  });
}

test("hears of connections of the Envoy that the stream is of, and of the workload", async () => {
  await using scene = await openScene();
  const { feed } = scene;
  const [one, other] = [scene.open(), scene.open()];
  one.call.write(message("web-0", "10.0.0.1"));
  // Of the first message only: later ones have no name.
  one.call.write(message(undefined, "10.0.0.1"));
  other.call.write(message("web-1", "10.0.0.2"));
  const spiffeId = id.toString();
  for (const proxyId of ["web-0", "web-1"]) {
    const stats = new Map([["server.uptime", 5]]);
    feed.observe({ proxyId, spiffeId }).flush({ takenMs: Date.now(), stats });
  }
  const counts = new Map<string, number>();
  await until(() => {
    for (const { proxyId, seen } of feed.take()) {
      for (const { count } of seen) counts.set(proxyId, (counts.get(proxyId) ?? 0) + count);
    }
    return counts.get("web-0") === 2 && counts.get("web-1") === 1;
  }, "it is told");
  one.call.end();
  assert.equal(await one.ended, status.OK);
});

test("ends the stream that is one too many, and no other", async () => {
  await using scene = await openScene();
  const all = Array.from({ length: streamsMax + 1 }, () => scene.open());
  assert.equal(await all.at(-1)?.ended, status.RESOURCE_EXHAUSTED);
  const [first] = all;
  first?.call.end();
  assert.equal(await first?.ended, status.OK);
});

test("keeps room for other workloads than one that opens streams without end", async () => {
  await using scene = await openScene(1_000);
  const all = Array.from({ length: 129 }, () => scene.open());
  assert.equal(await Promise.race(all.map(({ ended }) => ended)), status.RESOURCE_EXHAUSTED);
  const other = scene.open("other");
  other.call.end();
  assert.equal(await other.ended, status.OK);
  all[0]?.call.end();
  assert.equal(await all[0]?.ended, status.OK);
  const again = scene.open();
  again.call.end();
  assert.equal(await again.ended, status.OK, "it is one less");
});

test("hears of 8 proxies of one workload at a time, and of others'", async () => {
  await using scene = await openScene(1_000);
  const open = (proxyId: string, workload?: string): OpenCall => {
    const opened = scene.open(workload);
    opened.call.write(message(proxyId));
    return opened;
  };
  const all = Array.from({ length: 9 }, (_, at) => open(`web-${at}`));
  assert.equal(await Promise.race(all.map(({ ended }) => ended)), status.RESOURCE_EXHAUSTED);
  const [same, other] = [open("web-0"), open("web-0", "other")];
  for (const { call, ended } of [same, other, ...all.slice(0, 8)]) {
    call.end();
    assert.equal(await ended, status.OK);
  }
  const next = open("web-9");
  next.call.end();
  assert.equal(await next.ended, status.OK);
});

function message(nodeId: string | undefined, from?: string): Uint8Array {
  const address = (text: string, portValue: number) =>
    ({
      address: {
        case: "socketAddress",
        value: { address: text, portSpecifier: { case: "portValue", value: portValue } },
      },
    }) as const;
  const entry = {
    commonProperties: {
      downstreamLocalAddress: address("10.0.0.9", 80),
      downstreamDirectRemoteAddress: address(from ?? "", 40_000),
      startTime: { seconds: BigInt(Math.floor(Date.now() / 1_000)), nanos: 0 },
      customTags: { chain: "plaintext-tcp" },
    },
  };
  const logEntry = from === undefined ? [] : [entry];
  const encoded = create(StreamAccessLogsMessageSchema, {
    ...(nodeId !== undefined && { identifier: { node: { id: nodeId } } }),
    logEntries: { case: "tcpLogs", value: { logEntry } },
  });
  return toBinary(StreamAccessLogsMessageSchema, encoded);
}

interface OpenCall {
  readonly call: {
    readonly write: (octets: Uint8Array) => unknown;
    readonly end: () => unknown;
  };
  /** With which status. */
  readonly ended: Promise<number>;
}

interface Scene extends AsyncDisposable {
  readonly feed: ConnectionFeed;
  readonly open: (workload?: string) => OpenCall;
}

async function openScene(most: number = streamsMax): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const socketPath = join(path, "sds.sock");
  const [owner, other] = [new PolicyOwner(), new PolicyOwner()];
  owner.know(id);
  other.know(SpiffeId.parse("spiffe://td.test/ns/shop/sa/other"));
  const feed = new ConnectionFeed({ nowMs: Date.now, resumed: () => undefined });
  const findPeer = (metadata: Metadata) => ({
    channel: noChannel,
    owner: metadata.get("workload").length > 0 ? other : owner,
  });
  const grpc = createLocalServer(xdsMessageBytesMax);
  new AccessLogService({ feed, findPeer, namesWorkload: true, streamsMax: most }).addTo(grpc);
  stack.use(await listenOnUnixSocket(grpc, socketPath, 0o600));
  // Connections have a limit of streams, too.
  const clients = Array.from({ length: 4 }, () => {
    const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": -1,
    });
    stack.defer(() => client.close());
    return client;
  });
  let opened = 0;
  const owned = stack.move();
  const open = (workload?: string): OpenCall => {
    const { promise: ended, resolve } = Promise.withResolvers<number>();
    const metadata = new Metadata();
    if (workload !== undefined) metadata.set("workload", workload);
    const client = clients[Math.floor(opened++ / 50) % clients.length] ?? fail();
    const call = client.makeClientStreamRequest(
      "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
      (octets: Uint8Array) => Buffer.from(octets),
      (octets: Buffer) => octets,
      metadata,
      (error: ServiceError | null) => resolve(error?.code ?? status.OK),
    );
    call.on("error", () => {});
    return { call, ended };
  };
  return { feed, open, [Symbol.asyncDispose]: async () => owned.disposeAsync() };
}

/** Nobody asks for secrets here. */
const noChannel = new SecretChannel(
  {
    nowMs: Date.now,
    streamsMax: 1,
    onEvidence: () => {},
    onFact: () => {},
    onBundleFetched: () => {},
    beforeAnswer: () => {},
  },
  nothingYet,
);
